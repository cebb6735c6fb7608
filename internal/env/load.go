package env

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
)

// Options are Load's inputs besides the project's files.
type Options struct {
	// Environ is the process environment as KEY=value. Nil: the one of this process.
	Environ []string
	// Env chooses the environment in place of ENV. Empty: ENV decides.
	Env string
}

// localFile is the file for one person's machine, which git ignores.
const localFile = ".env.local"

// baseFile is the file with what all share.
const baseFile = ".env"

// Load reads the configuration of the project in dir. The error joins every [Problem] of every file and is of class
// errdefs.ErrInvalid; the Config is there all the same, with defaults in place of what is wrong, for commands that show
// the configuration of a broken project. Nobody else may use it. An unknown opts.Env is of class errdefs.ErrUsage.
func Load(dir string, opts Options) (*Config, *Report, error) {
	if opts.Env != "" && checkEnvName(opts.Env) != "" {
		return nil, nil, fmt.Errorf("%w: %q is not an environment: use dev, staging or prod", errdefs.ErrUsage, opts.Env)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("find the project's folder: %w", err)
	}
	l := &loader{
		cfg:    &Config{Dir: dir, table: newTable(), values: map[string]Value{}, layers: map[string][]Value{}},
		report: &Report{}, environ: environMap(opts.Environ), set: map[string]bool{},
	}
	l.cfg.Golang.Name, l.cfg.NestJS.Name, l.cfg.Python.Name = "golang", "nestjs", "python"
	l.readFiles(opts.Env)
	l.resolve()
	l.crossCheck()
	if !l.broken {
		l.warnUnread()
	}
	l.report.order()
	return l.cfg, l.report, join(l.report.Problems)
}

// loader is one run of Load.
type loader struct {
	cfg     *Config
	report  *Report
	environ map[string]string
	files   []*file         // strongest first
	set     map[string]bool // known keys that have a valid value other than the default
	broken  bool            // a line or file could not be read, so that a missing key may be set after all
}

func environMap(environ []string) map[string]string {
	if environ == nil {
		environ = os.Environ()
	}
	m := make(map[string]string, len(environ))
	for _, entry := range environ {
		if key, text, ok := strings.Cut(entry, "="); ok && key != "" {
			m[key] = text
		}
	}
	return m
}

// readFiles reads the layers and decides the environment, which names one of them.
func (l *loader) readFiles(chosen string) {
	local, base := readFile(l.cfg.Dir, localFile), readFile(l.cfg.Dir, baseFile)
	base.decode(func(string) (string, bool) { return "", false })
	l.chooseEnv(chosen, local, base)
	own := readFile(l.cfg.Dir, ".env."+l.cfg.Env)
	own.decode(base.lookup)
	local.decode(func(key string) (string, bool) {
		if text, ok := own.lookup(key); ok {
			return text, true
		}
		return base.lookup(key)
	})
	l.files = []*file{local, own, base}
	for _, f := range l.files {
		if !f.exists {
			continue
		}
		l.report.Files = append(l.report.Files, f.name)
		l.report.Problems = append(l.report.Problems, f.problems...)
		l.report.Warnings = append(l.report.Warnings, f.warnings...)
		for _, p := range f.problems {
			l.broken = l.broken || p.syntax || p.Pos.Line == 0
		}
	}
	if a, ok := own.values["ENV"]; ok && normalEnv(a.text) != l.cfg.Env {
		l.warn(own.at(a.line), "ENV", "not read here: this file is read because the environment is "+l.cfg.Env,
			"set ENV in "+localFile+" or "+baseFile)
	}
}

func (f *file) lookup(key string) (string, bool) {
	a, ok := f.values[key]
	return a.text, ok
}

// chooseEnv sets the environment: the caller's choice, the process environment, .env.local, .env, dev.
func (l *loader) chooseEnv(chosen string, local, base *file) {
	early := *local // ENV is needed before the file's other layer is known
	early.values, early.order, early.problems, early.warnings = map[string]assignment{}, nil, nil, nil
	early.statements = slices.DeleteFunc(slices.Clone(local.statements), func(st statement) bool {
		return st.key != "ENV"
	})
	early.decode(base.lookup)

	var candidates []Value
	if chosen != "" {
		candidates = append(candidates, Value{Text: chosen, Source: Source{Kind: FromOption}})
	}
	if text := l.environ["ENV"]; strings.ContainsRune(text, '/') {
		// A POSIX shell names its start-up file in ENV.
		delete(l.environ, "ENV")
	} else if text != "" {
		candidates = append(candidates, Value{Text: text, Source: Source{Kind: FromEnvironment}})
	}
	for _, f := range []*file{&early, base} {
		if a, ok := f.values["ENV"]; ok && a.text != "" {
			candidates = append(candidates, Value{Text: a.text, Source: f.at(a.line)})
		}
	}
	l.cfg.Env = Dev
	winner := Value{Text: Dev, Source: Source{Kind: FromDefault}}
	if len(candidates) > 0 {
		winner = candidates[0]
	}
	if problem := checkEnvName(winner.Text); problem != "" {
		l.problem(winner.Source, "ENV", problem, "use dev, staging or prod")
		return
	}
	l.cfg.Env = normalEnv(winner.Text)
	winner.Text = l.cfg.Env
	for i := range candidates {
		candidates[i].Key = "ENV"
	}
	l.cfg.layers["ENV"] = candidates
	l.put(l.cfg.table.find("ENV"), winner)
}

func (l *loader) problem(pos Source, key, text, hint string) {
	l.report.Problems = append(l.report.Problems, &Problem{Pos: pos, Key: key, Text: text, Hint: hint})
}

func (l *loader) warn(pos Source, key, text, hint string) {
	l.report.Warnings = append(l.report.Warnings, &Warning{Pos: pos, Key: key, Text: text, Hint: hint})
}

// put records the winning value of a key.
func (l *loader) put(k *Key, v Value) {
	v.Key, v.Group, v.Doc = k.Name, k.Group, k.Doc
	v.Secret = k.Secret || secretText(v.Text)
	l.cfg.values[k.Name] = v
	if v.Source.Kind != FromDefault {
		l.set[k.Name] = true
	}
}

// collect lists every value that a key is given, strongest first.
func (l *loader) collect(key string, secret bool) []Value {
	var values []Value
	add := func(text string, source Source) {
		values = append(values, Value{Key: key, Text: text, Secret: secret || secretText(text), Source: source})
	}
	if text, ok := l.environ[key]; ok {
		add(text, Source{Kind: FromEnvironment})
	}
	for _, f := range l.files {
		a, ok := f.values[key]
		if !ok {
			continue
		}
		add(a.text, f.at(a.line))
	}
	return values
}

// resolve fills the Config: the known keys in the table's order, then all others that the files set.
func (l *loader) resolve() {
	c := l.cfg
	for i := range c.table.keys {
		k := &c.table.keys[i]
		c.order = append(c.order, k.Name)
		if k.Name == "ENV" {
			if _, ok := c.values["ENV"]; !ok {
				l.put(k, Value{Text: c.Env, Source: Source{Kind: FromDefault}})
			}
			continue
		}
		values := l.collect(k.Name, k.Secret)
		if len(values) > 0 {
			c.layers[k.Name] = values
		}
		l.resolveKey(k, values)
	}
	others := map[string]bool{}
	for _, f := range l.files {
		for _, key := range f.order {
			if c.table.find(key) == nil {
				others[key] = true
			}
		}
	}
	c.Functions, c.Hasura.Extra = Variables{}, Variables{}
	for _, key := range slices.Sorted(maps.Keys(others)) {
		values := l.collect(key, secretName(key) || c.table.slipOfSecret(key))
		c.order = append(c.order, key)
		c.layers[key] = values
		winner := values[0]
		winner.Group = GroupOther
		c.values[key] = winner
		if _, ok := computed(key); ok {
			continue
		}
		if strings.HasPrefix(key, "HASURA_GRAPHQL_") {
			c.Hasura.Extra[key] = winner.Text
			continue
		}
		c.Functions[key] = winner.Text
	}
	for i := range c.table.keys {
		if k := &c.table.keys[i]; k.Pass && l.set[k.Name] {
			c.Functions[k.Name] = c.values[k.Name].Text
		}
	}
}

// resolveKey checks the strongest value of a known key and stores it, or the default.
func (l *loader) resolveKey(k *Key, values []Value) {
	v := Value{Source: Source{Kind: FromDefault}, Text: k.Default}
	if k.fallback != nil {
		v.Text = k.fallback(l.cfg)
	}
	if len(values) > 0 && values[0].Text != "" {
		if problem, hint := k.checkValue(values[0].Text); problem != "" {
			l.problem(values[0].Source, k.Name, problem, hint)
		} else {
			v = values[0]
		}
	} else if k.Required && !l.broken && !l.reported(k.Name) {
		l.missing(k, values)
	}
	l.put(k, v)
	if k.store != nil {
		k.store(l.cfg, v.Text)
	}
}

func (l *loader) missing(k *Key, values []Value) {
	text, pos := "not set", Source{}
	if len(values) > 0 {
		text, pos = "set to no text", values[0].Source
	}
	l.problem(pos, k.Name, text, "run nself init, or nself config set "+k.Name+" -")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
