package cli

import (
	"context"
	"fmt"
	"slices"
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

type actionModifyOptions struct {
	IO      *ui.Streams
	Config  func() (*env.Config, *env.Report, error)
	Environ []string
	WorkDir string

	Name          string
	SDL           string
	Shared        bool
	Kind          string
	Mode          metadata.ActionKind
	Handler       string
	Runtime       string
	Timeout       int
	Comment       string
	Headers       []string
	RemoveHeaders []string
	Roles         []string
	RemoveRoles   []string

	given func(flag string) bool
}

func newActionModifyCmd(f *Factory, run func(context.Context, *actionModifyOptions) error) *cobra.Command {
	opts := &actionModifyOptions{IO: f.IO, Config: f.Config, Environ: f.Environ, WorkDir: f.WorkDir}
	var async, sync bool
	cmd := &cobra.Command{
		Use:     "modify <name>",
		Aliases: []string{"edit", "set"},
		Short:   "Change an action: types, headers, roles, handler",
		Long: `Change what an action is, in hasura/metadata, and bring the generated code up to date. What no flag names stays as it is;
comments and order stay too.

--sdl takes the action's new field and types from a file or standard input. Of a type that changes, fields that stay keep
their text. Types that no action uses any more are removed. A type that other actions use too is changed with --shared only.
The handler is yours and stays as it is: the compiler then shows what the new types ask of it.`,
		Example: `  nself action modify createInvoice --sdl invoice.graphql
  nself action modify createInvoice --timeout 60 --role clerk --remove-role user
  nself action modify createInvoice --header 'X-Request-ID: {{REQUEST_ID}}' --remove-header X-API-Key
  nself action modify createInvoice --handler https://example.com/hooks/invoice`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.completeActions,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			opts.given = func(flag string) bool { return cmd.Flags().Changed(flag) }
			switch {
			case opts.Kind != "" && opts.Kind != string(metadata.Mutation) && opts.Kind != string(metadata.Query):
				return fmt.Errorf("%w: --kind must be mutation or query, got %q", errdefs.ErrUsage, opts.Kind)
			case opts.Timeout < 0:
				return fmt.Errorf("%w: --timeout must be 0 or more seconds, got %d", errdefs.ErrUsage, opts.Timeout)
			case opts.Runtime != "" && !slices.Contains(scaffold.RuntimeNames(), opts.Runtime):
				return fmt.Errorf("%w: --runtime must be one of %s, got %q", errdefs.ErrUsage, strings.Join(scaffold.RuntimeNames(), ", "), opts.Runtime)
			case async:
				opts.Mode = metadata.Asynchronous
			case sync:
				opts.Mode = metadata.Synchronous
			}
			if !slices.ContainsFunc(modifyFlags(), opts.given) {
				return errdefs.WithHint(fmt.Errorf("%w: nothing to change", errdefs.ErrUsage), "name at least one of --"+strings.Join(modifyFlags(), ", --"))
			}
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.SDL, "sdl", "", "Take the new field and types from `file`, or from standard input with -")
	cmd.Flags().BoolVar(&opts.Shared, "shared", false, "Change types that other actions use too")
	cmd.Flags().StringVar(&opts.Kind, "kind", "", "Make it a {mutation | query}")
	cmd.Flags().BoolVar(&async, "async", false, "Answer with an action id at once and run the handler in the background")
	cmd.Flags().BoolVar(&sync, "sync", false, "Answer with what the handler answers")
	cmd.Flags().StringVar(&opts.Handler, "handler", "", "Call the handler at this `url`; it may begin with {{VARIABLE}}")
	cmd.Flags().StringVar(&opts.Runtime, "runtime", "", "Call the handler in {golang | nestjs | python}")
	cmd.Flags().IntVar(&opts.Timeout, "timeout", 0, "Give the handler this many `seconds` (0 for Hasura's 30)")
	cmd.Flags().StringVar(&opts.Comment, "comment", "", "Describe the action in the schema; empty removes the description")
	cmd.Flags().StringArrayVar(&opts.Headers, "header", nil, "Send this `'Name: value'` to the handler, in place of one of that name; repeatable")
	cmd.Flags().StringArrayVar(&opts.RemoveHeaders, "remove-header", nil, "Do not send the header `name` any more; repeatable")
	cmd.Flags().StringArrayVar(&opts.Roles, "role", nil, "Let this `role` call it too; repeatable")
	cmd.Flags().StringArrayVar(&opts.RemoveRoles, "remove-role", nil, "Do not let this `role` call it any more; repeatable")
	cmd.MarkFlagsMutuallyExclusive("async", "sync")
	cmd.MarkFlagsMutuallyExclusive("handler", "runtime")
	_ = cmd.RegisterFlagCompletionFunc("role", f.completeRoles)
	_ = cmd.RegisterFlagCompletionFunc("remove-role", f.completeRoles)
	_ = cmd.RegisterFlagCompletionFunc("remove-header", f.completeHeaders)
	_ = cmd.RegisterFlagCompletionFunc("runtime", cobra.FixedCompletions(scaffold.RuntimeNames(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"mutation", "query"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// modifyFlags are the flags that change something.
func modifyFlags() []string {
	return []string{
		"sdl", "kind", "async", "sync", "handler", "runtime", "timeout", "comment", "header", "remove-header", "role", "remove-role",
	}
}

func runActionModify(ctx context.Context, opts *actionModifyOptions) error {
	cfg, _, err := opts.Config()
	if err != nil {
		return err
	}
	md, err := metadata.LoadDir(cfg.Dir)
	if err != nil {
		return err
	}
	action, err := findAction(md, opts.Name)
	if err != nil {
		return err
	}
	mod := metadata.Modification{Shared: opts.Shared, Kind: metadata.ActionType(opts.Kind), Entry: opts.edit}
	if opts.SDL != "" {
		sdl, source, err := readSDL(opts.IO, opts.WorkDir, opts.SDL)
		if err != nil {
			return err
		}
		if mod.Fragment, err = metadata.ParseFragment(sdl, source, opts.Name, metadata.ActionType(opts.Kind)); err != nil {
			return err
		}
	}
	modified, err := metadata.ModifyAction(cfg.Dir, opts.Name, mod)
	if err != nil {
		return err
	}
	if err := checkEdited(cfg.Dir, md, modified.Files); err != nil {
		return err
	}
	changed, err := writeEdited(cfg.Dir, modified.Files)
	if err != nil {
		return err
	}
	printEdited(opts.IO, changed, opts.Name+" changed", modified)
	if len(changed) == 0 {
		opts.IO.Notef("nothing to do\n")
		return nil
	}
	result, err := build.Run(ctx, build.Options{Dir: cfg.Dir, Env: env.Options{Environ: opts.Environ}})
	if err != nil {
		return errdefs.WithHint(err, "the declaration is changed; finish with nself build")
	}
	printBuilt(opts.IO, result)
	if now, err := findAction(result.Metadata, opts.Name); err == nil {
		warnUnset(opts.IO, cfg, opts.Name, now.Definition.Headers)
	}
	if mod.Fragment != nil {
		printWhereItIs(opts.IO, cfg, action)
	}
	return nil
}

// edit makes the changes that actions.yaml holds.
func (o *actionModifyOptions) edit(a *metadata.Action) error {
	d := &a.Definition
	if o.Mode != "" {
		d.Kind = o.Mode
	}
	switch {
	case o.Handler != "":
		d.Handler = o.Handler
	case o.Runtime != "":
		d.Handler = declare.Handler(o.Runtime, a.Name)
	}
	if o.given("timeout") {
		d.Timeout = o.Timeout
	}
	if o.given("comment") {
		a.Comment = o.Comment
	}
	for _, name := range o.RemoveHeaders {
		found, err := declare.DropHeader(d, name)
		if err != nil {
			return err
		}
		if !found {
			return errdefs.WithHint(fmt.Errorf("%w: action %q sends no header %q", errdefs.ErrUsage, a.Name, name), "look with nself action show "+a.Name)
		}
	}
	for _, text := range o.Headers {
		if err := declare.SetHeader(d, text); err != nil {
			return err
		}
	}
	for _, role := range o.RemoveRoles {
		i := slices.IndexFunc(a.Permissions, func(p metadata.Permission) bool { return p.Role == role })
		if i < 0 {
			return errdefs.WithHint(fmt.Errorf("%w: action %q has no permission for role %q", errdefs.ErrUsage, a.Name, role), "look with nself action show "+a.Name)
		}
		a.Permissions = slices.Delete(a.Permissions, i, i+1)
	}
	for _, role := range o.Roles {
		if !slices.ContainsFunc(a.Permissions, func(p metadata.Permission) bool { return p.Role == role }) {
			a.Permissions = append(a.Permissions, metadata.Permission{Role: role})
		}
	}
	return nil
}
