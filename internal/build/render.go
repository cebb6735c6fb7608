package build

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/nself-org/nself/internal/compose"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/scaffold"
)

// functionsDir holds the function services, each in a folder named like its runtime.
const functionsDir = "functions/"

// needs is what a project needs, and why.
type needs struct {
	files    []scaffold.File
	reasons  map[string]string // by path
	handlers map[string]string // by path: how the definition of the handler in it begins, or empty
	hashes   map[string]string // by path: of files that stand here without their content
}

// render works out all files that a project needs.
func render(cfg *env.Config, md *metadata.Metadata) (needs, error) {
	n := needs{reasons: map[string]string{}, handlers: map[string]string{}}
	var composeFile errgroup.Group // the slowest part, and it needs none of the others
	var text []byte
	composeFile.Go(func() (err error) {
		text, err = compose.Marshal(compose.Project(cfg))
		return err
	})
	for _, rt := range cfg.Runtimes() {
		if !rt.Enabled {
			continue
		}
		if err := n.service(cfg, md, rt); err != nil {
			return n, err
		}
	}
	migrations, err := scaffold.Migrations(md.Actions, md.CustomTypes)
	if err != nil {
		return n, err
	}
	for _, name := range slices.Sorted(maps.Keys(migrations)) {
		for _, f := range migrations[name] {
			if _, have := n.reasons[f.Path]; have { // actions share migrations
				continue
			}
			n.reasons[f.Path] = "action " + name
			n.files = append(n.files, f)
		}
	}
	if err := composeFile.Wait(); err != nil {
		return n, err
	}
	n.files = append(n.files, scaffold.File{Path: compose.FileName, Data: text, Mode: 0o644, Owner: scaffold.OwnerNself})
	n.files = append(n.files, environFiles(cfg)...)
	return n, nil
}

// service renders a function service and notes which file is there for which action.
func (n *needs) service(cfg *env.Config, md *metadata.Metadata, rt env.Runtime) error {
	in := scaffold.ServiceInput{Project: cfg.ProjectName, Types: md.CustomTypes}
	for _, a := range md.Actions {
		if runtimeOf(cfg, a.Definition.Handler) == rt.Name {
			in.Actions = append(in.Actions, a)
		}
	}
	files, err := scaffold.Service(rt.Name, in)
	if err != nil {
		return err
	}
	key := envKey(rt.Name, "ENABLED")
	enabled := key
	if v, ok := cfg.Get(key); ok {
		enabled += " in " + v.Source.String()
	}
	for _, f := range files {
		n.reasons[f.Path] = enabled
		if strings.HasSuffix(f.Path, "_gen.go") || strings.HasSuffix(f.Path, ".gen.ts") || strings.HasSuffix(f.Path, "_gen.py") {
			n.reasons[f.Path] = "the actions and their types"
		}
		for _, a := range in.Actions {
			if base := strings.TrimPrefix(path.Base(f.Path), "test_"); strings.HasPrefix(base, metadata.Snake(a.Name)) ||
				strings.HasPrefix(base, metadata.Kebab(a.Name)) {
				n.reasons[f.Path] = "action " + a.Name
				if at := a.Pos.String(); at != "" {
					n.reasons[f.Path] += " in " + at
				}
			}
		}
	}
	for _, a := range in.Actions {
		if h, ok := scaffold.HandlerOf(rt.Name, a.Name, files); ok {
			n.handlers[h.Path] = h.Text
		}
	}
	n.files = append(n.files, files...)
	return nil
}

// missingHandlers finds handlers that the user deleted though their actions are declared. One that merely moved to
// another file of the folder is not missing: a second one would not compile.
func (d *disk) missingHandlers(n needs, nodes map[string]Node) (map[string]bool, error) {
	missing := map[string]bool{}
	for p, text := range n.handlers {
		if nodes[p].Kind != Absent {
			continue
		}
		if text == "" {
			missing[p] = true
			continue
		}
		defined, err := d.defines(path.Dir(p), path.Ext(p), text)
		if err != nil {
			return nil, err
		}
		missing[p] = !defined
	}
	return missing, nil
}

// defines reports whether a file in dir with that extension has a line that begins with text.
func (d *disk) defines(dir, ext, text string) (bool, error) {
	entries, err := fs.ReadDir(d.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, d.explain("read", dir, err)
	}
	for _, e := range entries {
		if e.IsDir() || path.Ext(e.Name()) != ext {
			continue
		}
		data, err := d.read(path.Join(dir, e.Name()))
		if err != nil {
			return false, err
		}
		if bytes.HasPrefix(data, []byte(text)) || bytes.Contains(data, []byte("\n"+text)) {
			return true, nil
		}
	}
	return false, nil
}

// gone says why a file is not needed any more.
func gone(cfg *env.Config, p string) string {
	for _, rt := range cfg.Runtimes() {
		if !rt.Enabled && (strings.HasPrefix(p, functionsDir+rt.Name+"/") || p == compose.EnvPath(rt.Name)) {
			return envKey(rt.Name, "ENABLED") + " is not true"
		}
	}
	return "nothing needs it any more"
}

func envKey(runtime, suffix string) string { return strings.ToUpper(runtime) + "_" + suffix }

// runtimeOf names the runtime that a handler's URL points at, enabled or not, or "" for one that is elsewhere: either
// through the runtime's variable, or by the addresses that the service has in containers and on this host.
func runtimeOf(cfg *env.Config, handler string) string {
	for _, rt := range cfg.Runtimes() {
		if strings.HasPrefix(handler, "{{"+compose.URLVariable(rt.Name)+"}}") {
			return rt.Name
		}
	}
	u, err := url.Parse(handler)
	if err != nil {
		return ""
	}
	for _, rt := range cfg.Runtimes() {
		local := u.Hostname() == "localhost" || u.Hostname() == "host.docker.internal" ||
			net.ParseIP(u.Hostname()).IsLoopback()
		if u.Hostname() == rt.Name || local && u.Port() == strconv.Itoa(rt.Port) {
			return rt.Name
		}
	}
	return ""
}

// handlerWarnings tells of handlers that nobody will answer.
func handlerWarnings(cfg *env.Config, md *metadata.Metadata) []Warning {
	var warnings []Warning
	for _, a := range md.Actions {
		if w, ok := handlerWarning(cfg, a); ok {
			if at := a.Pos.String(); at != "" {
				w.Text = at + ": " + w.Text
			}
			warnings = append(warnings, w)
		}
	}
	return warnings
}

func handlerWarning(cfg *env.Config, a metadata.Action) (Warning, bool) {
	handler := a.Definition.Handler
	name := runtimeOf(cfg, handler)
	i := slices.IndexFunc(cfg.Runtimes(), func(rt env.Runtime) bool { return rt.Name == name })
	if i < 0 {
		_, missing := metadata.ResolveHandler(handler, func(key string) (string, bool) {
			v, ok := cfg.Get(key)
			return v.Text, ok && v.Text != ""
		})
		if len(missing) == 0 {
			return Warning{}, false
		}
		return Warning{
			Text: fmt.Sprintf("action %q: its handler %s needs %s, which is not set", a.Name, handler, strings.Join(missing, ", ")),
			Hint: "set " + strings.Join(missing, ", ") + " in .env or .env.local",
		}, true
	}
	rt := cfg.Runtimes()[i]
	if rt.URL != "" { // the user runs it
		return Warning{}, false
	}
	if !rt.Enabled {
		return Warning{
			Text: fmt.Sprintf("action %q: its handler is in the %s service, which is not enabled", a.Name, rt.Name),
			Hint: "set " + envKey(rt.Name, "ENABLED") + "=true in .env.local",
		}, true
	}
	want := "/actions/" + metadata.Kebab(a.Name)
	_, got, _ := strings.Cut(handler, "}}")
	if !strings.HasPrefix(handler, "{{") {
		u, err := url.Parse(handler)
		if err != nil {
			return Warning{}, false
		}
		got = u.Path
	}
	if got != want {
		return Warning{
			Text: fmt.Sprintf("action %q: its handler's path is %q, and the %s service answers it at %q",
				a.Name, got, rt.Name, want),
			Hint: "write {{" + compose.URLVariable(rt.Name) + "}}" + want + " in " + metadata.YAMLFile,
		}, true
	}
	return Warning{}, false
}
