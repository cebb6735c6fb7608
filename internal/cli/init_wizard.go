package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"charm.land/huh/v2"
	"charm.land/lipgloss/v2"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/scaffold"
)

// wizardAnswers are what the wizard asks for.
type wizardAnswers struct {
	Dir      string
	Name     string
	Runtimes []string
	Example  bool
	Editor   bool
}

// askWizard asks for what init's flags would say; flags that are given are the answers proposed. Without a terminal the same
// questions are asked line by line, which also serves screen readers (ACCESSIBLE).
func askWizard(ctx context.Context, opts *initOptions) (wizardAnswers, error) {
	a := wizardAnswers{Dir: opts.Dir, Name: opts.Name, Runtimes: opts.Runtimes, Example: opts.Example, Editor: true}
	if a.Dir == "." {
		a.Dir = ""
	}
	if len(a.Runtimes) == 0 {
		a.Runtimes = []string{"golang"}
	}
	languages := map[string]string{"golang": "Go", "nestjs": "TypeScript (NestJS)", "python": "Python"}
	var runtimes []huh.Option[string]
	for _, name := range scaffold.RuntimeNames() {
		runtimes = append(runtimes, huh.NewOption(languages[name], name))
	}
	form := huh.NewForm(
		huh.NewGroup(
			huh.NewInput().Title("Folder").Description("A new folder, or empty for this one").Placeholder("shop").Value(&a.Dir),
			huh.NewInput().Title("Name").Description("Empty: that of the folder").Value(&a.Name).Validate(checkWizardName),
		),
		huh.NewGroup(
			huh.NewMultiSelect[string]().Title("Languages of your functions").Options(runtimes...).Value(&a.Runtimes),
			huh.NewConfirm().Title("Declare the example actions?").Description(strings.Join(scaffold.DocumentedNames(), ", ")).Value(&a.Example),
			huh.NewConfirm().Title("Write settings for editors?").Description("Tasks and debuggers of VS Code, GraphQL completion").Value(&a.Editor),
		),
	).WithOutput(opts.IO.Err).WithInput(opts.IO.In)
	if !opts.IO.Interactive() || hasEnv(opts.Environ, "ACCESSIBLE") {
		form = form.WithAccessible(true).WithInput(lineByLine{opts.IO.In})
	}
	if !opts.IO.ErrColor {
		form = form.WithTheme(huh.ThemeFunc(plainTheme))
	}
	if err := form.RunWithContext(ctx); err != nil {
		if errors.Is(err, huh.ErrUserAborted) {
			return a, errdefs.WithHint(errors.New("stopped, and nothing is written"), "run nself init --wizard again, or nself init --help for the flags")
		}
		return a, fmt.Errorf("ask: %w", err)
	}
	a.Dir = strings.TrimSpace(a.Dir)
	if a.Dir == "" {
		a.Dir = "."
	}
	a.Name = strings.TrimSpace(a.Name)
	return a, nil
}

// lineByLine hands out a byte at a time: each question reads through a buffer of its own, which must not swallow the answers to
// the next.
type lineByLine struct{ r io.Reader }

func (l lineByLine) Read(p []byte) (int, error) { return l.r.Read(p[:min(1, len(p))]) }

// plainTheme has no colors.
func plainTheme(isDark bool) *huh.Styles {
	s := huh.ThemeBase(isDark)
	s.Focused.Title, s.Focused.SelectedOption, s.Focused.ErrorMessage = lipgloss.NewStyle(), lipgloss.NewStyle(), lipgloss.NewStyle()
	return s
}

// checkWizardName says at once what init would refuse later.
func checkWizardName(name string) error {
	name = strings.TrimSpace(name)
	if name == "" || scaffold.ProjectName(name) == name {
		return nil
	}
	return fmt.Errorf("use small letters, digits and dashes, such as %s", scaffold.ProjectName(name))
}

func hasEnv(environ []string, key string) bool {
	for _, line := range environ {
		if value, ok := strings.CutPrefix(line, key+"="); ok && value != "" {
			return true
		}
	}
	return false
}

// runWizard asks, and makes the project with the answers; at its end it says how to do the same without questions.
func runWizard(ctx context.Context, opts *initOptions) error {
	a, err := askWizard(ctx, opts)
	if err != nil {
		return err
	}
	told := "nself init"
	if a.Dir != "." {
		told += " " + shellQuote(a.Dir)
	}
	if len(a.Runtimes) > 0 {
		told += " --runtime " + strings.Join(a.Runtimes, ",")
	}
	if a.Name != "" {
		told += " --name " + shellQuote(a.Name)
	}
	if a.Example {
		told += " --example"
	}
	opts.IO.Notef("\n%s\n", opts.IO.ErrTheme().Dim("the same without questions: "+told))
	made := *opts
	made.Dir, made.Name, made.Runtimes, made.Example, made.Wizard = a.Dir, a.Name, a.Runtimes, a.Example, false
	if err := runInit(ctx, &made); err != nil {
		return err
	}
	if !a.Editor {
		return nil
	}
	dir := a.Dir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(opts.WorkDir, dir)
	}
	f := &Factory{IO: opts.IO, Environ: opts.Environ, WorkDir: opts.WorkDir, project: dir}
	return runEditor(ctx, &editorOptions{IO: opts.IO, Config: f.Config})
}
