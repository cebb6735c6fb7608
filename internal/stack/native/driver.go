package native

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ports"
	"github.com/nself-org/nself/internal/stack"
)

const driverName = "native"

// Options opens the native driver for one project.
type Options struct {
	Config *env.Config // its Dir is the project
	// Supervise is the command line that runs [Supervise] for the project: nself itself with its hidden command.
	Supervise []string
	// Environ is the caller's environment, as os.Environ gives it.
	Environ     []string
	FunctionEnv FunctionEnv // may be nil
	Log         *slog.Logger
}

// SuperviseCommand is the command line by which nself runs the supervisor of a project.
func SuperviseCommand(executable, project string) []string {
	return []string{executable, "supervise", "--project", project}
}

// driver is the client side.
type driver struct {
	Options
	lay    layout
	client *client
}

var _ stack.Driver = (*driver)(nil)

// New returns the driver; it touches nothing until a method is called.
func New(opts Options) stack.Driver {
	lay := layout{opts.Config.Dir}
	// A service that runs nself must not hand its own marks on.
	opts.Environ = slices.DeleteFunc(slices.Clone(opts.Environ), func(kv string) bool {
		key, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{envRun, envSupervisor, ports.EnvProject, ports.EnvService}, key)
	})
	return &driver{Options: opts, lay: lay, client: newClient(lay)}
}

// Name is "native".
func (d *driver) Name() string { return driverName }

// Up starts services; see [stack.Driver].
func (d *driver) Up(ctx context.Context, opts stack.UpOptions) error {
	return d.ascend(ctx, opts.Services, opts, false)
}

// Restart stops and starts services; see [stack.Driver]. On a stopped stack it starts them.
func (d *driver) Restart(ctx context.Context, services []string, opts stack.UpOptions) error {
	if p, err := d.client.ping(ctx); err != nil || !d.ours(p) {
		return d.ascend(ctx, services, opts, false)
	}
	return d.ascend(ctx, services, opts, true)
}

// cancelPatience is how long an interrupted call waits for the supervisor to take back what it did.
const cancelPatience = 30 * time.Second

func (d *driver) ascend(ctx context.Context, services []string, opts stack.UpOptions, restart bool) error {
	req := upRequest{
		ID: rand.Text(), Services: services, WaitTimeout: opts.WaitTimeout, AutoPorts: opts.AutoPorts, Restart: restart,
		Alone: opts.Alone, Environ: d.Environ,
	}
	each := func(m message) {
		if m.Event != nil && opts.Report != nil {
			opts.Report(*m.Event)
		}
	}
	for {
		pid, err := d.ensure(ctx)
		if err != nil {
			return err
		}
		err = d.callCancellable(ctx, req, each)
		if errors.Is(err, errNoSupervisor) && ctx.Err() == nil {
			waitGone(pid, time.Second) // it was just ending
			continue
		}
		if errors.Is(err, errLost) {
			return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
				fmt.Errorf("native driver: %w", err), "run nself up again; its log is .nself/logs/supervisor.log"))
		}
		if ctx.Err() != nil {
			d.awaitClosing(context.WithoutCancel(ctx), pid)
			return ctx.Err()
		}
		return err
	}
}

// awaitClosing waits for the end of a supervisor that has nothing more to do.
func (d *driver) awaitClosing(ctx context.Context, pid int) {
	if p, err := d.client.ping(ctx); err != nil || p.Closing {
		waitGone(pid, exitPatience)
	}
}

// callCancellable asks for an ascent. When ctx ends it has the supervisor take it back, and waits for that.
func (d *driver) callCancellable(ctx context.Context, req upRequest, each func(message)) error {
	callCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(cancelPatience, cancel)
		defer timer.Stop()
		resp, err := d.client.do(callCtx, "POST", "/v1/cancel", cancelRequest{ID: req.ID})
		if err == nil {
			_ = resp.Body.Close()
		}
		<-callCtx.Done()
	})
	defer stop()
	return d.client.call(callCtx, "/v1/up", req, each)
}

// ours reports whether a supervisor serves this very folder.
func (d *driver) ours(p pong) bool {
	return p.Protocol == protocol && sameDir(p.Dir, d.lay.dir)
}

// startPatience is how long a new supervisor may take to answer: it may have to end what a killed one left.
const startPatience = time.Minute

// ensure makes sure that a supervisor answers and returns its process id.
func (d *driver) ensure(ctx context.Context) (int, error) {
	if err := d.lay.create(); err != nil {
		return 0, err
	}
	if p, err := d.client.ping(ctx); err == nil {
		if d.ours(p) {
			return p.PID, nil
		}
		if err := d.dismiss(ctx, p); err != nil {
			return 0, err
		}
	}
	cmd, exited, err := d.launch()
	if err != nil {
		return 0, err
	}
	deadline := time.NewTimer(startPatience)
	defer deadline.Stop()
	poll := time.NewTicker(3 * time.Millisecond)
	defer poll.Stop()
	for {
		if p, err := d.client.ping(ctx); err == nil && d.ours(p) {
			return p.PID, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-deadline.C:
			return 0, d.notStarted(fmt.Errorf("it does not answer after %s", startPatience))
		case err := <-exited:
			if err != nil {
				return 0, d.notStarted(fmt.Errorf("process %d: %w", cmd.Process.Pid, err))
			}
			exited = nil // another supervisor was there first, and will answer
		case <-poll.C:
		}
	}
}

// dismiss ends a supervisor that serves this folder under its old path, or that speaks another version's language. One
// that serves a folder of which this is a copy is left alone.
func (d *driver) dismiss(ctx context.Context, p pong) error {
	if _, err := os.Stat(p.Dir); err == nil && !sameDir(p.Dir, d.lay.dir) {
		_ = os.Remove(d.lay.endpoint())
		return nil
	}
	err := d.client.call(ctx, "/v1/down", downRequest{}, func(message) {})
	if err != nil && !errors.Is(err, errNoSupervisor) {
		return errdefs.WithHint(fmt.Errorf("end the former supervisor: %w", err), "see .nself/logs/supervisor.log")
	}
	d.waitUnlocked(ctx)
	return nil
}

// launch starts the supervisor, detached from this terminal and session.
func (d *driver) launch() (*exec.Cmd, <-chan error, error) {
	if len(d.Supervise) == 0 {
		return nil, nil, errors.New("start the supervisor: no command is set")
	}
	path := filepath.Join(d.lay.logs(), "supervisor.log")
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogBytes {
		_ = os.Rename(path, rotated(path, 1))
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("start the supervisor: %w", err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(d.Supervise[0], d.Supervise[1:]...) //nolint:noctx // it outlives this command
	cmd.Env = append(slices.Clone(d.Environ), envSupervisor+"="+d.lay.dir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.lay.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start the supervisor: %w", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	return cmd, exited, nil
}

func (d *driver) notStarted(err error) error {
	// On a full disk the supervisor can write neither what it needs nor why it ended.
	probe := d.lay.state() + ".probe"
	full := os.WriteFile(probe, make([]byte, 4096), 0o600)
	_ = os.Remove(probe)
	if full != nil {
		return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("start the supervisor: %w", full), "free some disk space, or make .nself writable, and run nself up again"))
	}
	return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
		fmt.Errorf("start the supervisor: %w", err), "see .nself/logs/supervisor.log"))
}

// waitUnlocked waits until no supervisor holds the project.
func (d *driver) waitUnlocked(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	lock := flock.New(d.lay.lock(), flock.SetPermissions(0o600))
	if ok, err := lock.TryLockContext(ctx, 2*time.Millisecond); err == nil && ok {
		_ = lock.Close()
	}
}

// exitPatience is how long a supervisor that has said that all is stopped may take to end.
const exitPatience = 10 * time.Second

// Down stops every service; see [stack.Driver].
func (d *driver) Down(ctx context.Context, opts stack.DownOptions) error {
	if _, err := os.Stat(d.lay.root()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := d.lay.create(); err != nil {
		return err
	}
	each := func(m message) {
		if m.Event != nil && opts.Report != nil {
			opts.Report(*m.Event)
		}
	}
	p, err := d.client.ping(ctx)
	if err == nil && !sameDir(p.Dir, d.lay.dir) {
		if err := d.dismiss(ctx, p); err != nil {
			return err
		}
	} else if err == nil {
		err := d.client.call(ctx, "/v1/down", downRequest{Volumes: opts.Volumes}, each)
		if err != nil && !errors.Is(err, errNoSupervisor) && !errors.Is(err, errLost) {
			return err
		}
		waitGone(p.PID, exitPatience)
	}
	return d.cleanUp(ctx, opts)
}

// cleanUp takes the lock, which nobody holds when the supervisor has ended, and removes what a killed one has left.
func (d *driver) cleanUp(ctx context.Context, opts stack.DownOptions) error {
	waitCtx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	lock := flock.New(d.lay.lock(), flock.SetPermissions(0o600))
	ok, err := lock.TryLockContext(waitCtx, 2*time.Millisecond)
	if err != nil || !ok {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("stop the services: the supervisor does not end: %w", err), "see .nself/logs/supervisor.log"))
	}
	defer func() { _ = lock.Close() }()
	for _, c := range recoverOrphans(ctx, d.lay, d.Log) {
		if opts.Report != nil {
			opts.Report(stack.Event{
				Time: time.Now(), Service: c.Service, Kind: stack.EventStopped, Detail: "its supervisor had been killed",
			})
		}
	}
	for _, path := range []string{d.lay.currentSocket(), d.lay.endpoint(), d.lay.state()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("clean up: %w", err)
		}
	}
	if opts.Volumes {
		return removeData(d.lay)
	}
	return nil
}

// Status reports every service; see [stack.Driver].
func (d *driver) Status(ctx context.Context) (stack.Status, error) {
	if p, err := d.client.ping(ctx); err == nil && d.ours(p) {
		var st stack.Status
		err := d.client.get(ctx, "/v1/status", &st)
		if err == nil {
			return st, nil
		}
		if ctx.Err() != nil {
			return stack.Status{}, ctx.Err()
		}
	}
	st := stack.Status{Project: d.Config.ProjectName, Driver: driverName}
	orphans := map[string]child{}
	if run, ok := readState(d.lay.state()); ok && !run.foreign(d.lay) {
		orphans = run.Children
	}
	for _, sv := range enabled(d.Config) {
		s := stoppedStatus(d.Config, sv.name)
		if c, ok := orphans[sv.name]; ok && c.is() {
			s.State, s.PID = stack.StateUnhealthy, c.PID
			s.Detail = "its supervisor was killed: nself up takes over, nself down ends it"
		}
		st.Services = append(st.Services, s)
	}
	return st, nil
}

// Changed names the running services that have changed since they started; see [stack.Driver].
func (d *driver) Changed(ctx context.Context) ([]string, error) {
	p, err := d.client.ping(ctx)
	if err != nil || !d.ours(p) {
		return nil, ctx.Err() // nothing runs that could have changed
	}
	var answer changedAnswer
	if err := d.client.get(ctx, "/v1/changed", &answer); err != nil {
		return nil, err
	}
	return answer.Services, answer.Error.decode()
}

func stoppedStatus(cfg *env.Config, name string) stack.ServiceStatus {
	s := stack.ServiceStatus{Name: name, State: stack.StateStopped}
	if cfg != nil {
		f := stack.FactsOf(cfg, name)
		s.URL, s.Port = f.URL, f.Port
	}
	return s
}

// Logs reads the services' logs, also those of a stopped stack; see [stack.Driver].
func (d *driver) Logs(ctx context.Context, opts stack.LogsOptions) error {
	all := enabled(d.Config)
	names := opts.Services
	if len(names) == 0 {
		for _, sv := range all {
			names = append(names, sv.name)
		}
	} else if _, err := selectServices(all, names); err != nil {
		return err
	}
	return readLogs(ctx, d.lay, names, opts)
}
