package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/actioncall"
	"github.com/nself-org/nself/internal/calllog"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/ui"
)

type actionReplayOptions struct {
	IO      *ui.Streams
	Project func() (string, error)
	Config  func() (*env.Config, *env.Report, error)
	Environ []string
	Calls   callSender

	ID       string
	Edit     bool
	Direct   bool
	SaveTest bool
	Set      []string
	Timeout  time.Duration
}

func newActionReplayCmd(f *Factory, run func(context.Context, *actionReplayOptions) error) *cobra.Command {
	opts := &actionReplayOptions{IO: f.IO, Project: f.ProjectDir, Config: f.Config, Environ: f.Environ, Calls: f.callSender()}
	cmd := &cobra.Command{
		Use:   "replay <id>",
		Short: "Send a call again",
		Long: `Send a call that nself action calls lists again, with its input, role and session, and print the answer. The id may be
shortened; "last" is the newest.

Passwords and the like were not kept: on a terminal nself asks for them, else --set gives each. --edit opens the input in
$VISUAL or $EDITOR first. The exit code is 1 when the call fails again.

--save-test also saves the call as a test case of the service, which its own tests run from then on: the handler must
answer it with a 2xx status, and success must not be false.`,
		Example: `  nself action replay last
  nself action replay k3x9 --set input.password=password123
  nself action replay k3x9 --edit --direct
  nself action replay k3x9 --save-test`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.ID = args[0]
			if opts.Timeout <= 0 {
				return fmt.Errorf("%w: --timeout must be above 0, got %s", errdefs.ErrUsage, opts.Timeout)
			}
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVarP(&opts.Edit, "edit", "e", false, "Edit the input first, in $VISUAL or $EDITOR")
	cmd.Flags().BoolVar(&opts.Direct, "direct", false, "Call the handler itself, past the engine")
	cmd.Flags().BoolVar(&opts.SaveTest, "save-test", false, "Save the call as a test case of the service")
	cmd.Flags().StringArrayVar(&opts.Set, "set", nil, "Give the value at `'path=value'` of the input, such as input.password=x; repeatable")
	cmd.Flags().DurationVar(&opts.Timeout, "timeout", defaultCallTimeout, "Give up after this `time`")
	return cmd
}

func runActionReplay(ctx context.Context, opts *actionReplayOptions) error {
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
	e, err := findCall(dir, opts.ID)
	if err != nil {
		return err
	}
	act, err := findAction(md, e.Action)
	if err != nil {
		return err
	}
	if e.Input, err = replayInput(ctx, opts, e); err != nil {
		return err
	}
	call := actioncall.Call{Action: act, Role: e.Role, UserID: e.Session["x-hasura-user-id"], Secret: cfg.Hasura.AdminSecret.Reveal()}
	if err := json.Unmarshal(e.Input, &call.Input); err != nil {
		return errdefs.As(errdefs.ErrUsage, fmt.Errorf("read the input: %w", err))
	}
	call.Header = replayHeader(opts.IO, e)
	if opts.SaveTest {
		saved, err := saveTestCase(cfg, md, act, e)
		if err != nil {
			return err
		}
		for _, path := range saved {
			opts.IO.Notef("%s %s\n", opts.IO.ErrTheme().Good("create"), path)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, opts.Timeout)
	defer cancel()
	test := &actionTestOptions{IO: opts.IO, Name: e.Action, Direct: opts.Direct, Role: e.Role}
	resp, err := send(ctx, test, cfg, md, call)
	if err != nil {
		return err
	}
	if !opts.Direct && !resp.Failed && actioncall.Awaits(md, act) {
		if resp, err = await(ctx, test, cfg, md, call, resp); err != nil {
			return err
		}
	}
	if !opts.Direct {
		opts.Calls.keep(ctx, opts.IO, cfg, call, resp)
	}
	t := opts.IO.ErrTheme()
	opts.IO.Notef("%s\n", t.Dim(fmt.Sprintf("POST %s -> %d in %s", resp.URL, resp.Status, ui.Duration(resp.Duration))))
	opts.IO.Printf("%s\n", strings.TrimRight(ui.PrettyJSON(opts.IO.OutTheme(), resp.Body), "\n"))
	if resp.Failed {
		return &exitError{exitFailure}
	}
	return nil
}

// replayHeader is what is known of the caller's session and headers. What was not kept is told.
func replayHeader(io *ui.Streams, e calllog.Entry) http.Header {
	header := http.Header{}
	var missing []string
	for _, pairs := range []map[string]string{e.Session, e.Headers} {
		for name, value := range pairs {
			switch {
			case strings.Contains(value, calllog.Redacted):
				missing = append(missing, name)
			case strings.EqualFold(name, "x-hasura-role"), strings.EqualFold(name, "x-hasura-user-id"):
			default:
				header.Set(name, value)
			}
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		printWarning(io, "sent without what was not kept: "+strings.Join(missing, ", "), "")
	}
	return header
}

// replayInput is the call's input with what the caller gives for what was not kept.
func replayInput(ctx context.Context, opts *actionReplayOptions, e calllog.Entry) ([]byte, error) {
	if slices.Contains(e.Cut, "input") {
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("call %s: its input was too large to be kept", e.ID), "send it with nself action test "+e.Action+" --input @FILE"))
	}
	doc := []byte(e.Input)
	if len(doc) == 0 {
		doc = []byte("{}")
	}
	missing := slices.Clone(e.Hidden)
	for _, flag := range opts.Set {
		path, value, ok := strings.Cut(flag, "=")
		if !ok || path == "" {
			return nil, errdefs.WithHint(fmt.Errorf("%w: --set %q is not 'path=value'", errdefs.ErrUsage, flag),
				"write it as --set input.password=VALUE")
		}
		var err error
		if doc, err = setInput(doc, path, value); err != nil {
			return nil, errdefs.WithHint(fmt.Errorf("%w: --set %s: %w", errdefs.ErrUsage, path, err),
				"look at the input with nself action calls show "+e.ID)
		}
		missing = slices.DeleteFunc(missing, func(m string) bool { return m == path })
	}
	if opts.Edit {
		return editInput(ctx, opts, doc)
	}
	if len(missing) > 0 && !opts.IO.Interactive() {
		return nil, errdefs.WithHint(
			fmt.Errorf("%w: call %s: these values were not kept: %s", errdefs.ErrUsage, e.ID, strings.Join(missing, ", ")),
			"give each with --set "+missing[0]+"=VALUE, or edit the input with --edit")
	}
	for _, path := range missing {
		value, err := opts.IO.AskSecret(path + " was not kept; its value: ")
		if err != nil {
			return nil, err
		}
		if doc, err = setInput(doc, path, value); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

// setInput puts a value, JSON or else text, at a path such as "input.users.0.password". What was text stays text.
func setInput(doc []byte, path, value string) ([]byte, error) {
	var root any
	if err := json.Unmarshal(doc, &root); err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	at, key, err := descend(root, strings.Split(path, "."))
	if err != nil {
		return nil, err
	}
	var v any
	if _, text := at.get(key).(string); text || json.Unmarshal([]byte(value), &v) != nil {
		v = value
	}
	at.set(key, v)
	out, err := json.Marshal(root)
	if err != nil {
		return nil, fmt.Errorf("write the input: %w", err)
	}
	return out, nil
}

// container is an object or a list of a JSON document.
type container struct {
	object map[string]any
	list   []any
	index  int
}

func (c container) get(key string) any {
	if c.object != nil {
		return c.object[key]
	}
	return c.list[c.index]
}

func (c container) set(key string, v any) {
	if c.object != nil {
		c.object[key] = v
		return
	}
	c.list[c.index] = v
}

// descend finds the object or list that holds the last part of the path.
func descend(v any, path []string) (container, string, error) {
	var c container
	for i, part := range path {
		switch at := v.(type) {
		case map[string]any:
			c = container{object: at}
		case []any:
			var n int
			if _, err := fmt.Sscanf(part, "%d", &n); err != nil || n < 0 || n >= len(at) {
				return c, "", fmt.Errorf("there is no element %s in %s", part, strings.Join(path[:i], "."))
			}
			c = container{list: at, index: n}
		default:
			return c, "", fmt.Errorf("%s is no object", strings.Join(path[:i], "."))
		}
		if i == len(path)-1 {
			return c, part, nil
		}
		v = c.get(part)
	}
	return c, "", errors.New("the path is empty")
}

// editInput opens the input in the user's editor.
func editInput(ctx context.Context, opts *actionReplayOptions, doc []byte) ([]byte, error) {
	editor := ""
	for _, key := range []string{"EDITOR", "VISUAL"} {
		for _, kv := range opts.Environ {
			if name, value, _ := strings.Cut(kv, "="); name == key && value != "" {
				editor = value
			}
		}
	}
	if editor == "" {
		return nil, errdefs.WithHint(fmt.Errorf("%w: --edit: neither VISUAL nor EDITOR is set", errdefs.ErrUsage),
			"set EDITOR to your editor, or change single values with --set")
	}
	dir, err := os.MkdirTemp("", "nself-replay-")
	if err != nil {
		return nil, fmt.Errorf("edit the input: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "input.json")
	if err := os.WriteFile(path, []byte(ui.PrettyJSON(ui.Theme{}, doc)), 0o600); err != nil {
		return nil, fmt.Errorf("edit the input: %w", err)
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", editor+` "$1"`, "sh", path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = opts.IO.In, opts.IO.Err, opts.IO.Err, opts.Environ
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("edit the input: %s: %w", editor, err)
	}
	edited, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("edit the input: %w", err)
	}
	if !json.Valid(edited) {
		return nil, errdefs.As(errdefs.ErrUsage, errors.New("the edited input is no JSON"))
	}
	return edited, nil
}
