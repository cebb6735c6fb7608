package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/declare"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/scaffold"
	"github.com/nself-org/nself/internal/ui"
)

type actionNewOptions struct {
	IO      *ui.Streams
	Config  func() (*env.Config, *env.Report, error)
	Environ []string
	WorkDir string

	Name    string
	Runtime string
	SDL     string
	Kind    string
	Async   bool
	Roles   []string
	Headers []string
	Timeout int
	Comment string
}

func newActionNewCmd(f *Factory, run func(context.Context, *actionNewOptions) error) *cobra.Command {
	opts := &actionNewOptions{IO: f.IO, Config: f.Config, Environ: f.Environ, WorkDir: f.WorkDir}
	cmd := &cobra.Command{
		Use:     "new <name>",
		Aliases: []string{"create"},
		Short:   "Declare an action and scaffold its handler and test",
		Long: `Declare an action in hasura/metadata and write its handler and its test in the function service of a runtime.

These actions come complete, with an implementation, tests and migrations: ` + strings.Join(scaffold.DocumentedNames(), ", ") + `.
Any other one takes its types from --sdl, a file or standard input with a field of type Mutation or Query and the types it
needs, and gets a typed handler to fill in; without --sdl it starts from a small sample. What stands in the metadata
already, comments and order included, stays as it is.

--header adds headers to the webhook call: {{NAME}} is an environment variable, {{SESSION_VARIABLES['x-hasura-...']}} a
session variable, and 'X-Request-ID: {{REQUEST_ID}}' the id of the request.`,
		Example: `  nself action new registerUser --runtime golang
  nself action new createInvoice --sdl invoice.graphql --role user
  echo 'ping(text: String!): String' | nself action new ping --sdl - --header 'X-API-Key: {{API_KEY}}'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			switch {
			case opts.Kind != "" && opts.Kind != string(metadata.Mutation) && opts.Kind != string(metadata.Query):
				return fmt.Errorf("%w: --kind must be mutation or query, got %q", errdefs.ErrUsage, opts.Kind)
			case opts.Async && opts.Kind == string(metadata.Query):
				return fmt.Errorf("%w: --async is for mutations: Hasura has no asynchronous queries", errdefs.ErrUsage)
			case opts.Timeout < 0:
				return fmt.Errorf("%w: --timeout must be 0 or more seconds, got %d", errdefs.ErrUsage, opts.Timeout)
			}
			if err := metadata.CheckActionName(opts.Name); err != nil {
				return err
			}
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.Runtime, "runtime", "", "Write the handler in {golang | nestjs | python}; not needed when one is enabled")
	cmd.Flags().StringVar(&opts.SDL, "sdl", "", "Take the types from `file`, or from standard input with -")
	cmd.Flags().StringVar(&opts.Kind, "kind", "", "Declare a {mutation | query}; not needed with --sdl")
	cmd.Flags().BoolVar(&opts.Async, "async", false, "Answer with an action id at once and run the handler in the background")
	cmd.Flags().StringArrayVar(&opts.Roles, "role", nil, "Let this `role` call it, besides admin; repeatable")
	cmd.Flags().StringArrayVar(&opts.Headers, "header", nil, "Send this `'Name: value'` to the handler; repeatable")
	cmd.Flags().IntVar(&opts.Timeout, "timeout", 0, "Give the handler this many `seconds` (0 for Hasura's 30)")
	cmd.Flags().StringVar(&opts.Comment, "comment", "", "Describe the action in the schema")
	_ = cmd.RegisterFlagCompletionFunc("runtime", cobra.FixedCompletions(scaffold.RuntimeNames(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"mutation", "query"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runActionNew(ctx context.Context, opts *actionNewOptions) error {
	cfg, _, err := opts.Config()
	if err != nil {
		return err
	}
	md, err := metadata.LoadDir(cfg.Dir)
	if err != nil {
		return err
	}
	if err := checkNew(md, opts.Name); err != nil {
		return err
	}
	runtime, err := chooseRuntime(cfg, opts)
	if err != nil {
		return err
	}
	add, err := opts.addition(runtime)
	if err != nil {
		return err
	}
	if err := checkFragment(md, add); err != nil {
		return err
	}
	files, err := metadata.AddAction(cfg.Dir, add)
	if err != nil {
		return err
	}
	if err := metadata.WriteFiles(cfg.Dir, files); err != nil {
		return err
	}
	t := opts.IO.ErrTheme()
	for _, path := range sortedKeys(files) {
		opts.IO.Notef("%s %s %s\n", t.Good("✓"), path, t.Dim(opts.Name+" declared"))
	}
	if !runtime.Enabled {
		key := strings.ToUpper(runtime.Name) + "_ENABLED"
		if _, err := env.Set(cfg.Dir, key, "true", env.SetOptions{Environ: opts.Environ}); err != nil {
			return err
		}
		opts.IO.Notef("%s .env.local %s\n", t.Good("✓"), t.Dim(key+"=true"))
	}
	result, err := build.Run(ctx, build.Options{Dir: cfg.Dir, Env: env.Options{Environ: opts.Environ}})
	if err != nil {
		return errdefs.WithHint(err, "the declaration is written; finish with nself build")
	}
	printPlan(opts.IO, result.Plan)
	warnUnset(opts.IO, cfg, opts.Name, add.Definition.Headers)
	declared, err := findAction(result.Metadata, opts.Name)
	if err != nil {
		return err
	}
	opts.IO.Notef("\nNext: %s, then %s\n", t.Link("nself up"), t.Link(sampleCall(result.Metadata, declared)))
	return nil
}

// unsetVariables returns the variables that headers take their value from and that the engine does not have. A call of
// such an action is answered with an error by Hasura and by the gateway alike.
func unsetVariables(cfg *env.Config, headers []metadata.Header) []string {
	vars := cfg.EngineEnv(cfg.LocalEndpoints())
	var unset []string
	for _, h := range headers {
		if _, ok := vars[h.ValueFromEnv]; h.ValueFromEnv != "" && !ok {
			unset = append(unset, h.ValueFromEnv)
		}
	}
	return unset
}

// checkNew refuses a name that is taken, or whose files would be another action's.
func checkNew(md *metadata.Metadata, name string) error {
	names := make([]string, len(md.Actions))
	for i := range md.Actions {
		a := &md.Actions[i]
		names[i] = a.Name
		if a.Name == name {
			return errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
				fmt.Errorf("%s: action %q is declared already", a.Pos, name),
				"choose another name, or edit the declaration and run nself build"))
		}
	}
	if other, clashes := metadata.Clash(name, names); clashes {
		return errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("action %q would share its files and path with action %q", name, other), "choose another name"))
	}
	return nil
}

// checkFragment validates the new declaration among the existing ones, so that its faults are reported where the user
// wrote them, before anything is written.
func checkFragment(md *metadata.Metadata, add metadata.Addition) error {
	merged := *md
	action := add.Fragment.Action
	fields := action.Definition
	action.Definition = add.Definition
	action.Definition.Type, action.Definition.OutputType = fields.Type, fields.OutputType
	action.Definition.Arguments = fields.Arguments
	action.YAMLPos = action.Pos // not "missing in actions.yaml": it is about to be written
	merged.Actions = append(slices.Clone(md.Actions), action)
	existing := md.CustomTypes
	merged.CustomTypes = metadata.CustomTypes{
		InputObjects: appendNew(existing.InputObjects, add.Fragment.Types.InputObjects, func(t metadata.InputObject) string { return t.Name }),
		Objects:      appendNew(existing.Objects, add.Fragment.Types.Objects, func(t metadata.Object) string { return t.Name }),
		Scalars:      appendNew(existing.Scalars, add.Fragment.Types.Scalars, func(t metadata.Scalar) string { return t.Name }),
		Enums:        appendNew(existing.Enums, add.Fragment.Types.Enums, func(t metadata.Enum) string { return t.Name }),
	}
	var own metadata.Problems
	for _, p := range metadata.Validate(&merged, nil).Errors() {
		if p.Pos.File == action.Pos.File {
			own = append(own, p)
		}
	}
	return own.Err()
}

// appendNew adds the types whose names are not there yet.
func appendNew[T any](have, more []T, name func(T) string) []T {
	all := slices.Clone(have)
	for _, t := range more {
		if !slices.ContainsFunc(have, func(h T) bool { return name(h) == name(t) }) {
			all = append(all, t)
		}
	}
	return all
}

// chooseRuntime takes --runtime, else the one runtime that is enabled.
func chooseRuntime(cfg *env.Config, opts *actionNewOptions) (env.Runtime, error) {
	var enabled []string
	for _, rt := range cfg.Runtimes() {
		if rt.Name == opts.Runtime {
			return rt, nil
		}
		if rt.Enabled {
			enabled = append(enabled, rt.Name)
		}
	}
	if opts.Runtime != "" {
		hint := "choose among " + strings.Join(scaffold.RuntimeNames(), ", ")
		if near := nearest(opts.Runtime, scaffold.RuntimeNames()); near != "" {
			hint = "did you mean --runtime " + near + "?"
		}
		return env.Runtime{}, errdefs.WithHint(fmt.Errorf("%w: runtime %q is not known", errdefs.ErrUsage, opts.Runtime), hint)
	}
	if len(enabled) == 1 {
		i := slices.IndexFunc(cfg.Runtimes(), func(rt env.Runtime) bool { return rt.Name == enabled[0] })
		return cfg.Runtimes()[i], nil
	}
	what := "no runtime is enabled"
	if len(enabled) > 1 {
		what = "several runtimes are enabled: " + strings.Join(enabled, ", ")
	}
	return env.Runtime{}, errdefs.WithHint(fmt.Errorf("%w: %s", errdefs.ErrUsage, what), "name one with --runtime golang")
}

// addition says what to declare: a documented action as it is, or what the SDL and the flags say.
func (o *actionNewOptions) addition(runtime env.Runtime) (metadata.Addition, error) {
	entry := declare.Entry{Name: o.Name, Runtime: runtime.Name, Roles: o.Roles, Headers: o.Headers, Timeout: o.Timeout}
	if o.Async {
		entry.Kind = metadata.Asynchronous
	}
	definition, permissions, err := entry.Definition()
	if err != nil {
		return metadata.Addition{}, err
	}
	add := metadata.Addition{Definition: definition, Permissions: permissions, Comment: o.Comment}
	sdl, source, err := readSDL(o.IO, o.WorkDir, o.SDL)
	if err != nil {
		return add, err
	}
	if documented, ok := scaffold.Documented(o.Name); ok && sdl == "" {
		sdl, source = documented.SDL, "the documented "+o.Name
		known, err := metadata.ParseEntry(documented.YAML(runtime.Name), source)
		if err != nil {
			return add, err
		}
		if add.Comment == "" {
			add.Comment = known.Comment
		}
		if len(o.Roles) == 0 {
			add.Permissions = known.Permissions
		}
		if o.Timeout == 0 {
			add.Definition.Timeout = known.Definition.Timeout
		}
		add.Definition.ForwardClientHeaders = known.Definition.ForwardClientHeaders
	}
	if sdl == "" {
		typ := metadata.Mutation
		if o.Kind == string(metadata.Query) {
			typ = metadata.Query
		}
		sdl, source = declare.SampleSDL(o.Name, typ), "the sample"
	}
	add.Fragment, err = metadata.ParseFragment(sdl, source, o.Name, metadata.ActionType(o.Kind))
	if err != nil {
		return add, err
	}
	if add.Definition.Kind == "" && add.Fragment.Action.Definition.Type == metadata.Mutation {
		add.Definition.Kind = metadata.Synchronous
	}
	if o.Async && add.Fragment.Action.Definition.Type == metadata.Query {
		return add, fmt.Errorf("%w: --async is for mutations: Hasura has no asynchronous queries", errdefs.ErrUsage)
	}
	return add, nil
}

// maxSDLBytes bounds what --sdl reads; the SDL of one action is a page or two.
const maxSDLBytes = 1 << 20

// readSDL returns what --sdl names, and how to call it in errors; empty when there is no --sdl.
func readSDL(streams *ui.Streams, workDir, name string) (sdl, source string, err error) {
	switch name {
	case "":
		return "", "", nil
	case "-":
		data, err := io.ReadAll(io.LimitReader(streams.In, maxSDLBytes+1))
		if err != nil {
			return "", "", fmt.Errorf("read standard input: %w", err)
		}
		return checkSDL(data, "standard input")
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(workDir, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", "", inputFault("--sdl "+name, err, "name a file with the action's types, or - for standard input")
	}
	return checkSDL(data, name)
}

func checkSDL(data []byte, source string) (string, string, error) {
	switch {
	case len(data) > maxSDLBytes:
		return "", "", fmt.Errorf("%w: %s is larger than %d MiB", errdefs.ErrUsage, source, maxSDLBytes>>20)
	case strings.TrimSpace(string(data)) == "":
		return "", "", errdefs.WithHint(fmt.Errorf("%w: %s is empty", errdefs.ErrUsage, source),
			"write the action's field and types there, such as: ping(text: String!): String")
	}
	return string(data), source, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
