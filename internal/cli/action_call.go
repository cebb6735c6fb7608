package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/actioncall"
	"github.com/nself-org/nself/internal/actioncheck"
	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/ui"
)

// defaultCallTimeout bounds one call; Hasura's own limit for a handler is 30 s unless the action says otherwise.
const defaultCallTimeout = 60 * time.Second

type actionTestOptions struct {
	IO      *ui.Streams
	Project func() (string, error)
	Config  func() (*env.Config, *env.Report, error)
	WorkDir string
	Calls   callSender

	Name    string
	Input   string
	Direct  bool
	Role    string
	UserID  string
	Headers []string
	Timeout time.Duration
	Quiet   bool
}

func newActionTestCmd(f *Factory, run func(context.Context, *actionTestOptions) error) *cobra.Command {
	opts := &actionTestOptions{IO: f.IO, Project: f.ProjectDir, Config: f.Config, WorkDir: f.WorkDir, Calls: f.callSender()}
	cmd := &cobra.Command{
		Use:     "test <name>",
		Aliases: []string{"call"},
		Short:   "Call an action and print the answer",
		Long: `Call an action of the running project and print the answer. The call goes through GraphQL with an operation that
selects every field of the output, or, with --direct, straight to the handler with the body that the engine would send.

The result of an asynchronous action is waited for; its id is on standard error.

--input holds the action's arguments as JSON: text, @FILE, or - for standard input. The call is made as admin unless --role
says otherwise. The exit code is 1 when GraphQL answers errors, or, with --direct, when the status is not 2xx.`,
		Example: `  nself action test registerUser --input '{"input":{"email":"a@example.com","password":"password123","name":"A"}}'
  nself action test registerUser --input @input.json --direct
  nself action test processPayment --input - --role user --user-id 6f1d7d3e-5c7b-4c39-9a53-0d6b4f1c2a10 -H 'X-Request-ID: 7'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.completeActions,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			if opts.Timeout <= 0 {
				return fmt.Errorf("%w: --timeout must be above 0, got %s", errdefs.ErrUsage, opts.Timeout)
			}
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVarP(&opts.Input, "input", "i", "", "The arguments as `json`, @FILE, or - for standard input")
	cmd.Flags().BoolVar(&opts.Direct, "direct", false, "Call the handler itself, past the engine")
	cmd.Flags().StringVar(&opts.Role, "role", "", "Call as this `role` (admin when empty)")
	cmd.Flags().StringVar(&opts.UserID, "user-id", "", "Call as the user with this `id`")
	cmd.Flags().StringArrayVarP(&opts.Headers, "header", "H", nil, "Send this `'Name: value'` too; repeatable")
	cmd.Flags().DurationVar(&opts.Timeout, "timeout", defaultCallTimeout, "Give up after this `time`")
	cmd.Flags().BoolVarP(&opts.Quiet, "quiet", "q", false, "Print the answer only, not the line about the call")
	_ = cmd.RegisterFlagCompletionFunc("role", f.completeRoles)
	return cmd
}

func runActionTest(ctx context.Context, opts *actionTestOptions) error {
	header, err := parseHeaders(opts.Headers)
	if err != nil {
		return err
	}
	doc, err := readInput(opts)
	if err != nil {
		return err
	}
	dir, err := opts.Project()
	if err != nil {
		return err
	}
	cfg, _, err := opts.Config()
	if err != nil {
		return err
	}
	md, err := metadata.LoadDir(dir)
	if err != nil {
		return err
	}
	action, err := findAction(md, opts.Name)
	if err != nil {
		return err
	}
	input, err := actioncall.Arguments(action, doc)
	if err != nil {
		return errdefs.As(errdefs.ErrUsage, fmt.Errorf("%s: %w", inputName(opts), err))
	}
	call := actioncall.Call{
		Action: action, Input: input, Role: opts.Role, UserID: opts.UserID, Header: header,
		Secret: cfg.Hasura.AdminSecret.Reveal(),
	}
	ctx, cancel := context.WithTimeout(ctx, opts.Timeout)
	defer cancel()
	resp, err := send(ctx, opts, cfg, md, call)
	if err != nil {
		return err
	}
	if !opts.Direct && !resp.Failed && actioncall.Awaits(md, action) {
		if resp, err = await(ctx, opts, cfg, md, call, resp); err != nil {
			return err
		}
	}
	if !opts.Direct {
		opts.Calls.keep(ctx, opts.IO, cfg, call, resp)
	}
	if !opts.Quiet {
		t := opts.IO.ErrTheme()
		opts.IO.Notef("%s\n", t.Dim(fmt.Sprintf("POST %s -> %d in %s", resp.URL, resp.Status, ui.Duration(resp.Duration))))
	}
	opts.IO.Printf("%s\n", strings.TrimRight(ui.PrettyJSON(opts.IO.OutTheme(), resp.Body), "\n"))
	if resp.Failed {
		noteRole(opts, action)
		noteNext(opts, md, action, build.RuntimeOf(cfg, action.Definition.Handler), resp)
		return &exitError{exitFailure}
	}
	return nil
}

// noteRole tells why GraphQL answers that a field, or the whole mutation root, does not exist: it hides from a role what
// the role may not call.
func noteRole(opts *actionTestOptions, action *metadata.Action) {
	if opts.Direct || opts.Role == "" || opts.Role == "admin" ||
		slices.ContainsFunc(action.Permissions, func(p metadata.Permission) bool { return p.Role == opts.Role }) {
		return
	}
	printWarning(opts.IO, fmt.Sprintf("%s: the role %q may not call %s, so its schema does not have it", action.YAMLPos, opts.Role, action.Name),
		fmt.Sprintf("add - role: %s to the permissions of %s", opts.Role, action.Name))
}

// noteNext says what to do about a failed call where its answer is not the handler's own.
func noteNext(opts *actionTestOptions, md *metadata.Metadata, action *metadata.Action, runtime string, resp *actioncall.Response) {
	next := ""
	switch f := failureIn(resp); {
	case opts.Quiet:
	case f.code == "validation-failed" && strings.HasPrefix(f.path, "$.selectionSet."+action.Name+".args"):
		next = "its arguments look like this: " + sampleCall(md, action)
	case f.code == "NOT_IMPLEMENTED":
		next = "when the handler is written, nself up starts it; nself up --watch does so whenever you save"
	case (f.code == "unexpected" || f.status >= http.StatusInternalServerError) && runtime != "":
		next = "nself logs " + runtime + " --tail 20 tells why"
	}
	if next != "" {
		opts.IO.Notef("  %s %s\n", opts.IO.ErrTheme().Good("fix:"), next)
	}
}

// failure is what an answer says of what went wrong.
type failure struct {
	code, path string
	status     int // of the handler's answer; 0 where it is not told
}

func failureIn(resp *actioncall.Response) failure {
	var answer struct {
		Code   string `json:"code"`
		Errors []struct {
			Extensions struct {
				Code     string `json:"code"`
				Path     string `json:"path"`
				Internal struct {
					Response struct {
						Status int `json:"status"`
					} `json:"response"`
				} `json:"internal"`
			} `json:"extensions"`
		} `json:"errors"`
	}
	_ = json.Unmarshal(resp.Body, &answer) // what is no JSON tells nothing
	if len(answer.Errors) == 0 {
		return failure{code: answer.Code, status: resp.Status}
	}
	e := answer.Errors[0].Extensions
	return failure{code: e.Code, path: e.Path, status: e.Internal.Response.Status}
}

// sampleCall is a command line that calls an action with input of the declared types.
func sampleCall(md *metadata.Metadata, action *metadata.Action) string {
	line := "nself action test " + action.Name
	if len(action.Definition.Arguments) == 0 {
		return line
	}
	input, err := json.Marshal(actioncheck.Sample(&md.CustomTypes, action))
	if err != nil {
		return line + " --input '{...}'"
	}
	return line + " --input '" + string(input) + "'"
}

// await waits for the result of an asynchronous action. created is the answer to the mutation.
func await(
	ctx context.Context, opts *actionTestOptions, cfg *env.Config, md *metadata.Metadata, call actioncall.Call,
	created *actioncall.Response,
) (*actioncall.Response, error) {
	id, err := created.ID(call.Action.Name)
	if err != nil {
		return nil, err
	}
	if !opts.Quiet {
		opts.IO.Notef("%s\n", opts.IO.ErrTheme().Dim("accepted as "+id+", waiting for the result"))
	}
	return call.Await(ctx, md, graphqlURL(cfg), id)
}

func graphqlURL(cfg *env.Config) string {
	return fmt.Sprintf("http://localhost:%d/v1/graphql", cfg.Hasura.Port)
}

func send(ctx context.Context, opts *actionTestOptions, cfg *env.Config, md *metadata.Metadata, call actioncall.Call) (*actioncall.Response, error) {
	if !opts.Direct {
		return call.Through(ctx, md, graphqlURL(cfg))
	}
	vars := cfg.EngineEnv(cfg.LocalEndpoints())
	handler, missing := metadata.ResolveHandler(call.Action.Definition.Handler, func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	})
	if len(missing) > 0 {
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("%s: the handler %q names variables that are not set: %s",
				call.Action.YAMLPos, call.Action.Definition.Handler, strings.Join(missing, ", ")),
			"set them with nself config set"))
	}
	return call.Direct(ctx, handler)
}

// readInput returns the JSON that --input names.
func readInput(opts *actionTestOptions) ([]byte, error) {
	switch {
	case opts.Input == "-":
		doc, err := io.ReadAll(opts.IO.In)
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		return doc, nil
	case strings.HasPrefix(opts.Input, "@"):
		path := opts.Input[1:]
		if !filepath.IsAbs(path) {
			path = filepath.Join(opts.WorkDir, path)
		}
		doc, err := os.ReadFile(path)
		if err != nil {
			return nil, inputFault("--input "+opts.Input, err, "name a file with the arguments after the @, or write them as JSON")
		}
		return doc, nil
	default:
		return []byte(opts.Input), nil
	}
}

// inputName is how errors call the JSON that --input names.
func inputName(opts *actionTestOptions) string {
	if path, isFile := strings.CutPrefix(opts.Input, "@"); isFile {
		return path
	}
	if opts.Input == "-" {
		return "standard input"
	}
	return "--input"
}

// parseHeaders reads "Name: value" flags.
func parseHeaders(flags []string) (http.Header, error) {
	header := http.Header{}
	for _, flag := range flags {
		name, value, ok := strings.Cut(flag, ":")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
			return nil, errdefs.WithHint(fmt.Errorf("%w: header %q is not 'Name: value'", errdefs.ErrUsage, flag),
				"write it as -H 'X-Request-ID: 7'")
		}
		header.Add(name, strings.TrimSpace(value))
	}
	return header, nil
}
