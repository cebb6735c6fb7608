package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/actioncheck"
	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/ui"
)

type actionCheckOptions struct {
	IO      *ui.Streams
	Project func() (string, error)
	Environ []string

	Names  []string
	JSON   bool
	Call   bool
	Role   string
	UserID string
}

func newActionCheckCmd(f *Factory, run func(context.Context, *actionCheckOptions) error) *cobra.Command {
	opts := &actionCheckOptions{IO: f.IO, Project: f.ProjectDir, Environ: f.Environ}
	cmd := &cobra.Command{
		Use:   "check [<name>...]",
		Short: "Find where SDL, metadata, handlers and the running engine disagree",
		Long: `Check the actions: types that do not exist or that nobody uses, entries without a declaration and declarations without an
entry, handlers that are missing or that nobody answers, generated code that is out of date, variables of handlers and
headers that are set nowhere, timeouts that callers will not wait for, and what Hasura would drop or refuse. Where the engine
runs, its metadata is compared with the files. Nothing is written.

--call calls the handlers of the named actions, or of all, with input made from their types, and compares each answer with
its declared type to the last field, where Hasura looks at the first level only. The calls are real: a handler that sends
mail sends mail.

The exit code is 3 when something has to be mended.`,
		Example: `  nself action check
  nself action check --json
  nself action check createInvoice --call`,
		ValidArgsFunction: f.completeActions,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Names = args
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON")
	cmd.Flags().BoolVar(&opts.Call, "call", false, "Call each handler and compare its answer with its types")
	cmd.Flags().StringVar(&opts.Role, "role", "", "Call as this `role` (admin when empty)")
	cmd.Flags().StringVar(&opts.UserID, "user-id", "6f1d7d3e-5c7b-4c39-9a53-0d6b4f1c2a10", "Call as the user with this `id`")
	return cmd
}

// actionFinding is one line of a check.
type actionFinding struct {
	Severity string `json:"severity"` // error or warning
	// Rule names what was checked, for scripts that let some findings pass.
	Rule   string `json:"rule"`
	Action string `json:"action,omitempty"`
	Place  string `json:"place,omitempty"`
	Text   string `json:"text"`
	Fix    string `json:"fix,omitempty"`
}

func runActionCheck(ctx context.Context, opts *actionCheckOptions) error {
	dir, err := opts.Project()
	if err != nil {
		return err
	}
	findings, md, err := checkActions(ctx, dir, opts.Environ)
	if err != nil {
		return err
	}
	for _, name := range opts.Names {
		if _, err := findAction(md, name); err != nil {
			return err
		}
	}
	if opts.Call {
		called, err := callHandlers(ctx, opts, dir, md)
		if err != nil {
			return err
		}
		findings = append(findings, called...)
	}
	findings = about(findings, opts.Names)
	faults := 0
	for _, f := range findings {
		if f.Severity == "error" {
			faults++
		}
	}
	if opts.JSON {
		if err := opts.IO.JSON(findings); err != nil {
			return err
		}
	} else {
		printFindings(opts.IO, findings)
	}
	if faults > 0 {
		return &exitError{exitInvalid}
	}
	return nil
}

// about keeps the findings about the named actions, and those about none of them in particular that stop a build.
func about(findings []actionFinding, names []string) []actionFinding {
	if len(names) == 0 {
		return findings
	}
	kept := []actionFinding{}
	for _, f := range findings {
		for _, name := range names {
			if f.Action == name || f.Action == "" && (f.Severity == "error" || hasWord(f.Text, name)) {
				kept = append(kept, f)
				break
			}
		}
	}
	return kept
}

// checkActions gathers what is wrong with the metadata, and, where that is sound, what a build would change and what the
// running engine has that differs.
func checkActions(ctx context.Context, dir string, environ []string) ([]actionFinding, *metadata.Metadata, error) {
	findings := []actionFinding{} // prints as [] when there is nothing
	md, err := metadata.LoadDir(dir)
	if md == nil {
		return nil, nil, err
	}
	problems := metadata.Validate(md, nil)
	for _, p := range problems {
		severity := "error"
		if p.Severity == metadata.SeverityWarning {
			severity = "warning"
		}
		findings = append(findings, actionFinding{
			Severity: severity, Rule: "metadata", Action: actionIn(md, p.Text), Place: p.Pos.String(), Text: p.Text, Fix: p.Hint,
		})
	}
	if len(problems.Errors()) > 0 {
		return findings, md, nil // what a build would write from this is not worth telling
	}
	findings = append(findings, declarationFindings(md)...)
	result, err := build.Run(ctx, build.Options{Dir: dir, Env: env.Options{Environ: environ}, Check: true})
	if err != nil && !errors.Is(err, errdefs.ErrDrift) {
		return nil, nil, err
	}
	for _, w := range result.Warnings {
		if !hasFinding(findings, w.Text) { // a build repeats the metadata's warnings
			findings = append(findings, actionFinding{Severity: "warning", Rule: "build", Action: actionIn(md, w.Text), Text: w.Text, Fix: w.Hint})
		}
	}
	for _, c := range result.Plan.Changes {
		ofActions := strings.HasPrefix(c.Path, "functions/") || strings.HasPrefix(c.Path, "hasura/")
		if ofActions && c.Action != build.Unchanged && c.Action != build.Adopt {
			findings = append(findings, actionFinding{
				Severity: "error", Rule: "drift", Place: c.Path, Fix: "run nself build",
				Text: strings.TrimSuffix("build would "+string(c.Action)+" it: "+c.Reason, ": "),
			})
		}
	}
	cfg, _, err := env.Load(dir, env.Options{Environ: environ})
	if err != nil {
		return findings, md, nil //nolint:nilerr // the build has reported it
	}
	findings = append(findings, unsetFindings(cfg, md)...)
	engine, err := engineFindings(ctx, cfg, md)
	return append(findings, engine...), md, err
}

func hasFinding(findings []actionFinding, text string) bool {
	for _, f := range findings {
		if f.Text == text || f.Place+": "+f.Text == text {
			return true
		}
	}
	return false
}

// actionIn is the action that a text about the metadata names, as these texts do: action "name".
func actionIn(md *metadata.Metadata, text string) string {
	for i := range md.Actions {
		if strings.Contains(text, fmt.Sprintf("action %q", md.Actions[i].Name)) {
			return md.Actions[i].Name
		}
	}
	return ""
}

// callerPatience is how long callers of a synchronous action wait at most: proxies and browsers give up about then.
const callerPatience = 60 * time.Second

// declarationFindings tells what is sound but hardly meant.
func declarationFindings(md *metadata.Metadata) []actionFinding {
	var findings []actionFinding
	for _, t := range actioncheck.Unused(md) {
		findings = append(findings, actionFinding{
			Severity: "warning", Rule: "unused-type", Place: t.Pos.String(), Text: fmt.Sprintf("type %q: no action uses it", t.Name),
			Fix: "remove it, or use it",
		})
	}
	for i := range md.Actions {
		a := &md.Actions[i]
		if d := a.Definition; d.Kind != metadata.Asynchronous && time.Duration(d.Timeout)*time.Second > callerPatience {
			findings = append(findings, actionFinding{
				Severity: "warning", Rule: "timeout", Action: a.Name, Place: a.At("timeout").String(),
				Text: fmt.Sprintf("action %q: callers have to wait up to %d s, and most proxies and browsers give up before", a.Name, d.Timeout),
				Fix:  "nself action modify " + a.Name + " --async, or --timeout 60",
			})
		}
	}
	return findings
}

// unsetFindings warns about headers whose variable is set nowhere: the metadata is sound, each call would fail.
func unsetFindings(cfg *env.Config, md *metadata.Metadata) []actionFinding {
	var findings []actionFinding
	for i := range md.Actions {
		a := &md.Actions[i]
		for _, name := range unsetVariables(cfg, a.Definition.Headers) {
			findings = append(findings, actionFinding{
				Severity: "warning", Rule: "unset", Action: a.Name, Place: a.YAMLPos.String(), Fix: "nself config set " + name + " VALUE",
				Text: fmt.Sprintf("action %q: a header uses %s, which is set nowhere: every call fails until it is", a.Name, name),
			})
		}
	}
	return findings
}

// engineTimeout bounds the look at the running engine.
const engineTimeout = 5 * time.Second

// engineFindings compares the files with the metadata of the engine, where it runs.
func engineFindings(ctx context.Context, cfg *env.Config, md *metadata.Metadata) ([]actionFinding, error) {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	base := fmt.Sprintf("http://localhost:%d", cfg.Hasura.Port)
	if !answers(ctx, base+"/healthz") {
		return nil, nil
	}
	running, err := exportMetadata(ctx, base, cfg.Hasura.AdminSecret.Reveal())
	if err != nil {
		return []actionFinding{{
			Severity: "warning", Rule: "engine", Text: "the engine's metadata was not compared: " + err.Error(), Fix: strings.Join(errdefs.Hints(err), "; "),
		}}, nil
	}
	differences, err := metadata.Compare(running, md)
	if err != nil {
		return nil, err
	}
	places := actioncheck.Places(&md.CustomTypes)
	var findings []actionFinding
	for _, d := range differences {
		kind, name, _ := strings.Cut(d.Object, " ")
		f := actionFinding{Severity: "error", Rule: "engine", Fix: "nself action apply, which loads the files into the engine"}
		switch kind {
		case "action":
			f.Action = name
			if a, err := findAction(md, name); err == nil {
				f.Place = a.Pos.String()
			}
		case "type":
			f.Place = places[name].String()
		default: // tables and the like are nself action diff's
			continue
		}
		switch d.Change() {
		case "added":
			f.Text = fmt.Sprintf("%s %q: the running engine does not have it", kind, name)
		case "removed":
			f.Text = fmt.Sprintf("%s %q: only the running engine has it", kind, name)
			f.Fix = "nself action export, which brings it into the files, or nself action apply, which removes it there"
		default:
			f.Text = fmt.Sprintf("%s %q: the running engine has it differently", kind, name)
			f.Fix = "look with nself action diff; nself action apply loads the files into the engine"
		}
		findings = append(findings, f)
	}
	return findings, nil
}

// answers tells whether there is an HTTP server at a URL that says that it is well.
func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func printFindings(io *ui.Streams, findings []actionFinding) {
	t := io.OutTheme()
	if len(findings) == 0 {
		io.Printf("%s SDL, metadata and handlers agree\n", t.Good("✓"))
		return
	}
	for _, f := range findings {
		mark := t.Bad("error:")
		if f.Severity == "warning" {
			mark = t.Warn("warning:")
		}
		text := f.Text
		if f.Place != "" {
			text = f.Place + ": " + text
		}
		io.Printf("%s %s\n", mark, text)
		if f.Fix != "" {
			io.Printf("%s %s\n", t.Good("  fix:"), f.Fix)
		}
	}
}
