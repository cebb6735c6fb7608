package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/declare"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/openapi"
	"github.com/nself-org/nself/internal/scaffold"
	"github.com/nself-org/nself/internal/ui"
)

type actionImportOptions struct {
	IO      *ui.Streams
	Config  func() (*env.Config, *env.Report, error)
	Environ []string
	WorkDir string

	From    string
	Names   []string
	Hasura  string
	Secret  string
	Base    string
	Prefix  string
	Runtime string
	Roles   []string
	DryRun  bool
}

func newActionImportCmd(f *Factory, run func(context.Context, *actionImportOptions) error) *cobra.Command {
	opts := &actionImportOptions{IO: f.IO, Config: f.Config, Environ: f.Environ, WorkDir: f.WorkDir}
	cmd := &cobra.Command{
		Use:   "import {<file> | <url> | - | --hasura <url>} [<name>...]",
		Short: "Take actions over from SDL, OpenAPI or a running Hasura",
		Long: `Declare actions from what exists already: all of it, or the named ones. What is told apart by its content:

  SDL       type Mutation and type Query with any number of fields; each gets a handler to fill in, in --runtime
  OpenAPI   an OpenAPI 3 document, JSON or YAML: each operation becomes an action that calls the API itself, GET as a query
            and the others as mutations, with transforms for the request, the answer and failures
  Hasura    exported metadata, from a file, or with --hasura from a running engine: handlers, headers, transforms and
            permissions come along; handlers in the function services are scaffolded

Actions that exist already are left alone. Either all others are declared, or, when one cannot be, none.`,
		Example: `  nself action import openapi.yaml --prefix shop --role user
  nself action import https://example.com/openapi.json listPets --base '{{PETS_URL}}' --dry-run
  nself action import --hasura http://localhost:8080 --admin-secret "$SECRET"
  nself action import actions.graphql --runtime python`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.Hasura == "" {
				if len(args) == 0 {
					return errdefs.WithHint(fmt.Errorf("%w: nothing to import from", errdefs.ErrUsage), sourceHint)
				}
				opts.From, args = args[0], args[1:]
			}
			opts.Names = args
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.Hasura, "hasura", "", "Take the metadata of the engine at this `url`")
	cmd.Flags().StringVar(&opts.Secret, "admin-secret", "", "The `secret` of that engine (NSELF_IMPORT_SECRET when empty)")
	cmd.Flags().StringVar(&opts.Base, "base", "", "OpenAPI: the API's `url`, in place of the document's server; it may begin with {{VARIABLE}}")
	cmd.Flags().StringVar(&opts.Prefix, "prefix", "", "OpenAPI: put this `word` before the names of actions and types")
	cmd.Flags().StringVar(&opts.Runtime, "runtime", "", "SDL: write the handlers in {golang | nestjs | python}; not needed when one is enabled")
	cmd.Flags().StringArrayVar(&opts.Roles, "role", nil, "Let this `role` call the actions, besides admin; repeatable")
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "Print what would be declared and write nothing")
	_ = cmd.RegisterFlagCompletionFunc("runtime", cobra.FixedCompletions(scaffold.RuntimeNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// imported is what a source holds.
type imported struct {
	additions []metadata.Addition
	// notes are about the action of the same place.
	notes map[string][]string
	// skipped says what is left out, and why.
	skipped []string
	runtime string // to enable, for handlers that are to be written
}

func runActionImport(ctx context.Context, opts *actionImportOptions) error {
	cfg, _, err := opts.Config()
	if err != nil {
		return err
	}
	md, err := metadata.LoadDir(cfg.Dir)
	if err != nil {
		return err
	}
	found, err := opts.read(ctx, cfg)
	if err != nil {
		return err
	}
	adds, err := opts.choose(md, found)
	if err != nil {
		return err
	}
	for _, s := range found.skipped {
		printWarning(opts.IO, "left out: "+s, "")
	}
	if len(adds) == 0 {
		opts.IO.Notef("nothing to do\n")
		return nil
	}
	files, err := metadata.AddActions(cfg.Dir, adds)
	if err != nil {
		return err
	}
	if err := checkEdited(cfg.Dir, md, files); err != nil {
		return err
	}
	if opts.DryRun {
		return opts.show(adds)
	}
	if err := metadata.WriteFiles(cfg.Dir, files); err != nil {
		return err
	}
	return opts.finish(ctx, cfg, found, adds)
}

// finish tells what was declared, and builds.
func (o *actionImportOptions) finish(ctx context.Context, cfg *env.Config, found *imported, adds []metadata.Addition) error {
	t := o.IO.ErrTheme()
	for _, add := range adds {
		a := add.Fragment.Action
		o.IO.Notef("%s %s %s\n", t.Good("✓"), a.Name, t.Dim(string(a.Definition.Type)+" "+a.Definition.OutputType))
		for _, note := range found.notes[a.Name] {
			printWarning(o.IO, a.Name+": "+note, "")
		}
	}
	if found.runtime != "" {
		key := strings.ToUpper(found.runtime) + "_ENABLED"
		if _, err := env.Set(cfg.Dir, key, "true", env.SetOptions{Environ: o.Environ}); err != nil {
			return err
		}
	}
	result, err := build.Run(ctx, build.Options{Dir: cfg.Dir, Env: env.Options{Environ: o.Environ}})
	if err != nil {
		return errdefs.WithHint(err, "the declarations are written; finish with nself build")
	}
	printBuilt(o.IO, result)
	unset := map[string]bool{}
	for _, add := range adds {
		for _, name := range unsetVariables(cfg, add.Definition.Headers) {
			unset[name] = true
		}
	}
	if names := sortedKeys(unset); len(names) > 0 {
		printWarning(o.IO, "headers use "+strings.Join(names, ", ")+", set nowhere: every call fails until it is", "nself config set "+names[0]+" VALUE")
	}
	o.IO.Notef("\n%d actions declared in %s\n", len(adds), metadata.SDLFile)
	return nil
}

// show prints what would be declared.
func (o *actionImportOptions) show(adds []metadata.Addition) error {
	for i, add := range adds {
		if i > 0 {
			o.IO.Printf("\n")
		}
		o.IO.Printf("# handler: %s\n%s", add.Definition.Handler, add.Fragment.SDL())
	}
	return nil
}

// choose leaves out what exists, and what was not asked for.
func (o *actionImportOptions) choose(md *metadata.Metadata, found *imported) ([]metadata.Addition, error) {
	var adds []metadata.Addition
	known := map[string]bool{}
	for _, add := range found.additions {
		name := add.Fragment.Action.Name
		known[name] = true
		if len(o.Names) > 0 && !slices.Contains(o.Names, name) {
			continue
		}
		if slices.ContainsFunc(md.Actions, func(a metadata.Action) bool { return a.Name == name }) {
			found.skipped = append(found.skipped, name+": it is declared already")
			continue
		}
		for _, role := range o.Roles {
			if !slices.ContainsFunc(add.Permissions, func(p metadata.Permission) bool { return p.Role == role }) {
				add.Permissions = append(add.Permissions, metadata.Permission{Role: role})
			}
		}
		adds = append(adds, add)
	}
	for _, name := range o.Names {
		if !known[name] {
			err := fmt.Errorf("%w: there is no action %q to import", errdefs.ErrUsage, name)
			return nil, errdefs.WithHint(err, "there are "+strings.Join(sortedKeys(known), ", "))
		}
	}
	return adds, nil
}

// What to import, and from where.
const (
	sourceHint   = "name a file, a URL, - or --hasura URL"
	documentHint = "import an OpenAPI 3 document, exported metadata or SDL"
)

// maxImportBytes bounds a document; the largest public OpenAPI documents have some ten MiB.
const maxImportBytes = 64 << 20

// importTimeout bounds the fetching of a document.
const importTimeout = time.Minute

// read takes the source's content for what it is.
func (o *actionImportOptions) read(ctx context.Context, cfg *env.Config) (*imported, error) {
	if o.Hasura != "" {
		ctx, cancel := context.WithTimeout(ctx, importTimeout)
		defer cancel()
		md, err := exportMetadata(ctx, o.Hasura, o.secret())
		if err != nil {
			return nil, err
		}
		return fromMetadata(md, o.Hasura)
	}
	data, err := o.fetch(ctx)
	if err != nil {
		return nil, err
	}
	switch text := strings.TrimSpace(string(data)); {
	case text == "":
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("%s is empty", o.From), documentHint))
	case strings.HasPrefix(text, "{") && !json.Valid(data):
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(jsonFault(o.From, data), documentHint))
	case isOpenAPI(text):
		operations, skipped, err := openapi.Convert(data, openapi.Options{Source: o.From, Base: o.Base, Prefix: o.Prefix})
		if err != nil {
			return nil, err
		}
		found := &imported{notes: map[string][]string{}}
		for _, op := range operations {
			found.additions = append(found.additions, op.Addition)
			found.notes[op.Addition.Fragment.Action.Name] = op.Notes
		}
		for _, s := range skipped {
			found.skipped = append(found.skipped, s.Method+" "+s.Path+": "+s.Reason)
		}
		return found, nil
	case strings.HasPrefix(text, "{"):
		md, err := parseExport(data)
		if err != nil {
			return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("%s: %w", o.From, err), documentHint))
		}
		return fromMetadata(md, o.From)
	default:
		return o.fromSDL(cfg, text)
	}
}

// jsonFault says in which line of a document what is not JSON.
func jsonFault(source string, data []byte) error {
	var doc json.RawMessage
	err := json.Unmarshal(data, &doc)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("%s:%d: %w", source, 1+bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n")), err)
	}
	return fmt.Errorf("%s: %w", source, err)
}

func (o *actionImportOptions) secret() string {
	if o.Secret != "" {
		return o.Secret
	}
	for _, line := range o.Environ {
		if value, ok := strings.CutPrefix(line, "NSELF_IMPORT_SECRET="); ok {
			return value
		}
	}
	return ""
}

// isOpenAPI tells a document that says which version of OpenAPI, or of Swagger, it is.
func isOpenAPI(text string) bool {
	head := text[:min(len(text), 64<<10)]
	for line := range strings.SplitSeq(head, "\n") {
		if strings.HasPrefix(line, "openapi:") || strings.HasPrefix(line, "swagger:") {
			return true
		}
	}
	return strings.HasPrefix(text, "{") && (strings.Contains(head, `"openapi"`) || strings.Contains(head, `"swagger"`)) && strings.Contains(text, `"paths"`)
}

// fetch reads the file, standard input, or what is at the URL.
func (o *actionImportOptions) fetch(ctx context.Context) ([]byte, error) {
	var r io.Reader
	switch {
	case o.From == "-":
		r, o.From = o.IO.In, "standard input"
	case strings.HasPrefix(o.From, "http://") || strings.HasPrefix(o.From, "https://"):
		ctx, cancel := context.WithTimeout(ctx, importTimeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.From, http.NoBody)
		if err != nil {
			return nil, errdefs.WithHint(fmt.Errorf("%w: %q is not a URL", errdefs.ErrUsage, o.From), sourceHint)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			err = withoutURL(err)
			return nil, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(fmt.Errorf("read %s: %w", o.From, err), "download the document and name the file"))
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(fmt.Errorf("read %s: status %d", o.From, resp.StatusCode), "check the address"))
		}
		r = resp.Body
	default:
		path := o.From
		if !filepath.IsAbs(path) {
			path = filepath.Join(o.WorkDir, path)
		}
		file, err := os.Open(path)
		if err != nil {
			return nil, inputFault(o.From, err, sourceHint)
		}
		defer file.Close()
		r = file
	}
	data, err := io.ReadAll(io.LimitReader(r, maxImportBytes+1))
	if err != nil {
		return nil, inputFault(o.From, err, sourceHint)
	}
	if len(data) > maxImportBytes {
		return nil, errdefs.WithHint(fmt.Errorf("%s is larger than %d MiB", o.From, maxImportBytes>>20), "cut the document down to what is to be imported")
	}
	return bytes.TrimPrefix(data, []byte("\uFEFF")), nil
}

// fromMetadata takes the actions of a Hasura as they are.
func fromMetadata(md *metadata.Metadata, source string) (*imported, error) {
	found := &imported{}
	for i := range md.Actions {
		a := &md.Actions[i]
		f, err := metadata.ParseFragment(metadata.SDLOf(md, a), source, a.Name, a.Definition.Type)
		if err != nil {
			return nil, err
		}
		f.Types = metadata.Subset(md, a).CustomTypes // with descriptions and relationships
		add := metadata.Addition{Fragment: f, Definition: a.Definition, Permissions: a.Permissions, Comment: a.Comment}
		found.additions = append(found.additions, add)
	}
	return found, nil
}

// fromSDL declares the fields of a document, with handlers to fill in.
func (o *actionImportOptions) fromSDL(cfg *env.Config, text string) (*imported, error) {
	runtime, err := chooseRuntime(cfg, &actionNewOptions{Runtime: o.Runtime})
	if err != nil {
		return nil, err
	}
	fragments, err := metadata.SplitSDL(text+"\n", o.From)
	if err != nil {
		return nil, err
	}
	found := &imported{}
	if !runtime.Enabled {
		found.runtime = runtime.Name
	}
	for _, f := range fragments {
		if err := metadata.CheckActionName(f.Action.Name); err != nil {
			return nil, errdefs.As(errdefs.ErrInvalid, fmt.Errorf("%s: %w", f.Action.Pos, err))
		}
		entry := declare.Entry{Name: f.Action.Name, Runtime: runtime.Name}
		if f.Action.Definition.Type == metadata.Mutation {
			entry.Kind = metadata.Synchronous
		}
		definition, permissions, err := entry.Definition()
		if err != nil {
			return nil, err
		}
		found.additions = append(found.additions, metadata.Addition{Fragment: f, Definition: definition, Permissions: permissions})
	}
	if len(fragments) == 0 {
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("%s: there is no action in the SDL", o.From),
			"add fields to type Mutation or type Query"))
	}
	return found, nil
}
