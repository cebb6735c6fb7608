package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/calllog"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/ui"
)

// statusInterval is how often the view asks for the services' health.
const statusInterval = time.Second

func newDevCmd(f *Factory, run func(context.Context, *upOptions) error) *cobra.Command {
	opts := &upOptions{IO: f.IO, Stack: f.Stack, Environ: f.Environ, Renew: renewAsk, Watch: true}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Start the project and show it live while you work on it",
		Long: `Start the project, renew what is saved as nself up --watch does, and show the services with their health, what fails and
why, and the last calls of actions, each with role, status and time.

Keys: up and down select a service, l shows its log, r restarts it, o opens its address, q quits; the project goes on
running. Without a terminal everything is told in lines.`,
		Example: `  nself dev
  nself dev | tee dev.log`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.Up.WaitTimeout <= 0 {
				return fmt.Errorf("%w: --wait-timeout must be above 0, got %s", errdefs.ErrUsage, opts.Up.WaitTimeout)
			}
			return run(cmd.Context(), opts)
		},
	}
	opts.Choice.addFlag(cmd)
	cmd.Flags().DurationVar(&opts.Up.WaitTimeout, "wait-timeout", defaultWaitTimeout, "Give each service this `time` to become healthy")
	cmd.Flags().BoolVar(&opts.Up.AutoPorts, "auto-ports", false, "Where a port is taken, pick a free one and write it to .env.local")
	cmd.Flags().BoolVar(&opts.Poll, "poll", false, "Look at the files instead of listening, as network folders need")
	return cmd
}

func runDev(ctx context.Context, opts *upOptions) error {
	s, err := opts.Stack(ctx, opts.Choice)
	if err != nil {
		return err
	}
	printWarnings(opts.IO, s.Report)
	show := newEventDisplay(opts.IO)
	var failed []stack.Event
	opts.Up.Report = func(e stack.Event) {
		if e.Kind == stack.EventFailed {
			failed = append(failed, e)
		}
		show.Event(e)
	}
	opts.Up.Renew = renew(ctx, opts.IO, opts.Renew)
	err = s.Driver.Up(ctx, opts.Up)
	show.Close()
	if ctx.Err() != nil {
		return err
	}
	status, statusErr := s.Driver.Status(ctx)
	if err != nil && (statusErr != nil || !status.Running) {
		return err // nothing was started, so there is nothing to show
	}
	if !opts.IO.Interactive() || !opts.IO.OutIsTerminal || opts.IO.ErrWidth == 0 { // a terminal without a size shows nothing
		return devLines(ctx, opts, s)
	}
	return devScreen(ctx, opts, s, status, failed)
}

// devLines tells of rounds and of calls in lines.
func devLines(ctx context.Context, opts *upOptions, s *openStack) error {
	ctx, cancel := context.WithCancel(ctx)
	var calls sync.WaitGroup
	defer calls.Wait()
	defer cancel()
	calls.Go(func() {
		t := opts.IO.OutTheme()
		_ = calllog.Follow(ctx, callsDir(s.Config.Dir), calllog.Filter{}, func(e calllog.Entry) {
			opts.IO.Printf("%s\n", strings.TrimRight(strings.Join(callRow(t, e), "  "), " "))
		})
	})
	return followFiles(ctx, opts, s)
}

// devScreen runs the live view until the user quits.
func devScreen(ctx context.Context, opts *upOptions, s *openStack, status stack.Status, failed []stack.Event) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	view := newDevView(opts.IO.OutTheme(), s.Driver.Name())
	view.status = status
	for _, e := range failed {
		view.event(e)
	}
	if kept, err := calllog.Read(callsDir(s.Config.Dir), calllog.Filter{Limit: keptCalls}); err == nil {
		view.calls = kept
	}
	d := &devProgram{ctx: ctx, view: view, stack: s, wait: opts.Up.WaitTimeout, width: opts.IO.ErrWidth, height: 24}
	p := tea.NewProgram(d, tea.WithContext(ctx), tea.WithInput(opts.IO.In), tea.WithOutput(opts.IO.Out), tea.WithEnvironment(opts.Environ))
	d.send = p.Send

	var work sync.WaitGroup
	var followed error
	work.Go(func() {
		f := &follower{
			dir: s.Config.Dir, environ: opts.Environ, driver: s.Driver, wait: opts.Up.WaitTimeout, polling: opts.Poll, show: &devRounds{send: p.Send},
		}
		followed = f.run(ctx)
		p.Quit()
	})
	work.Go(func() {
		_ = calllog.Follow(ctx, callsDir(s.Config.Dir), calllog.Filter{}, func(e calllog.Entry) { p.Send(e) })
	})
	work.Go(func() {
		tick := time.NewTicker(statusInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if now, err := s.Driver.Status(ctx); err == nil {
				p.Send(now)
			}
		}
	})
	_, err := p.Run()
	interrupted := ctx.Err() != nil
	cancel()
	work.Wait()
	if errors.Is(followed, errStoppedElsewhere) {
		opts.IO.Notef("%s\n", followed)
		return nil
	}
	opts.IO.Notef("The project goes on running; stop it with nself down\n")
	if interrupted || errors.Is(err, tea.ErrInterrupted) {
		return followed
	}
	return errors.Join(err, followed)
}

// devRounds hands a follower's rounds to the program.
type devRounds struct {
	send    func(tea.Msg)
	renewed bool // in this round
}

// roundNote is a remark about a round.
type roundNote string

// Changed tells which files were saved.
func (d *devRounds) Changed(paths []string) {
	d.renewed = false
	if len(paths) > 0 {
		d.send(roundNote(somePaths(paths) + " saved"))
	}
}

// Built tells what a build has changed.
func (d *devRounds) Built(result build.Result) {
	d.send(stack.Event{Service: buildName, Kind: stack.EventHealthy})
	counts := result.Plan.Counts()
	if n := counts[build.Create] + counts[build.Update] + counts[build.Remove]; n > 0 {
		d.send(roundNote(fmt.Sprintf("built: %d files changed", n)))
	}
}

// Event is the driver's progress.
func (d *devRounds) Event(e stack.Event) {
	d.renewed = d.renewed || e.Kind == stack.EventStarting
	d.send(e)
}

// Settled tells how long a round took.
func (d *devRounds) Settled(since time.Duration, err error) {
	if err == nil && d.renewed {
		d.send(roundNote("in force " + ui.Duration(since) + " after the save"))
	}
}

// Note is a remark.
func (d *devRounds) Note(text string) { d.send(roundNote(text)) }

// devProgram connects the view with the terminal.
type devProgram struct {
	ctx   context.Context //nolint:containedctx // the program lives as long as the command
	view  *devView
	stack *openStack
	wait  time.Duration
	send  func(tea.Msg)

	width, height int
	stopLogs      context.CancelFunc
}

// Init implements [tea.Model].
func (d *devProgram) Init() tea.Cmd { return nil }

// View implements [tea.Model].
func (d *devProgram) View() tea.View {
	v := tea.NewView(d.view.draw(d.width, d.height))
	v.AltScreen = true
	v.WindowTitle = d.view.status.Project + ": nself dev"
	return v
}

// Update implements [tea.Model].
func (d *devProgram) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		d.width, d.height = msg.Width, msg.Height
	case stack.Status:
		d.view.status = msg
	case stack.Event:
		d.view.event(msg)
	case calllog.Entry:
		d.view.call(msg)
	case roundNote:
		d.view.note = string(msg)
	case stack.LogLine:
		if msg.Service == d.view.logs {
			d.view.line(msg.Time.Local().Format(time.TimeOnly) + " " + msg.Text)
		}
	case tea.KeyPressMsg:
		return d, d.key(msg.String())
	}
	return d, nil
}

func (d *devProgram) key(name string) tea.Cmd {
	switch name {
	case "q", "ctrl+c":
		return tea.Quit
	case "up", "k":
		d.view.move(-1)
	case "down", "j":
		d.view.move(1)
	case "l", "enter":
		d.showLogs(d.view.current().Name)
	case "esc":
		d.showLogs("")
	case "r":
		return d.restart(d.view.current().Name)
	case "o":
		return d.open(d.view.current())
	}
	return nil
}

// showLogs follows a service's log; with an empty name the overview is back.
func (d *devProgram) showLogs(service string) {
	if d.stopLogs != nil {
		d.stopLogs()
		d.stopLogs = nil
	}
	d.view.logs, d.view.lines = service, nil
	if service == "" {
		return
	}
	ctx, cancel := context.WithCancel(d.ctx)
	d.stopLogs = cancel
	go func() {
		_ = d.stack.Driver.Logs(ctx, stack.LogsOptions{
			Services: []string{service}, Follow: true, Tail: keptLines / 2, Sink: func(l stack.LogLine) { d.send(l) },
		})
	}()
}

func (d *devProgram) restart(service string) tea.Cmd {
	if service == "" {
		return nil
	}
	return func() tea.Msg {
		err := d.stack.Driver.Restart(context.WithoutCancel(d.ctx), []string{service}, stack.UpOptions{
			WaitTimeout: d.wait, Report: func(e stack.Event) { d.send(e) },
		})
		if err != nil {
			return roundNote("restart " + service + ": " + firstLine(err.Error()))
		}
		return roundNote(service + " restarted")
	}
}

// open shows a service's address in the browser.
func (d *devProgram) open(s stack.ServiceStatus) tea.Cmd {
	if !strings.HasPrefix(s.URL, "http") {
		return nil
	}
	return func() tea.Msg {
		program := "xdg-open"
		if runtime.GOOS == "darwin" {
			program = "open"
		}
		if err := exec.CommandContext(d.ctx, program, s.URL).Run(); err != nil {
			return roundNote("open " + s.URL + " in your browser")
		}
		return roundNote("opened " + s.URL)
	}
}
