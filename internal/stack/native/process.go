package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// pipeGrace is how long output is still read after a process ended while a descendant keeps its pipe open.
const pipeGrace = 300 * time.Millisecond

// command describes a process to start.
type command struct {
	path  string
	args  []string
	env   []string
	dir   string
	user  *account // nil: as the supervisor
	stdin io.Reader
	out   io.Writer  // receives stdout and stderr
	extra []*os.File // further files, from descriptor 3 on
	// deathSignal reaches the process when the supervisor is killed, where the system can do that; 0 means SIGKILL.
	deathSignal syscall.Signal
}

// process is a started command.
type process struct {
	pid  int
	os   *os.Process
	done chan struct{} // closed when it has ended
	err  error         // why it ended; read after done
}

// spawner starts processes. Linux sends a child its death signal when the thread that forked it ends, so one goroutine,
// tied to its thread for the life of the program, does all the forking.
type spawner struct{ requests chan spawnRequest }

type spawnRequest struct {
	cmd   *exec.Cmd
	reply chan error
}

func newSpawner() *spawner {
	s := &spawner{requests: make(chan spawnRequest)}
	go func() {
		runtime.LockOSThread()
		for r := range s.requests {
			r.reply <- r.cmd.Start()
		}
	}()
	return s
}

func (s *spawner) start(c command) (*process, error) {
	cmd := exec.Command(c.path, c.args...) //nolint:noctx // what the project names; it is ended by stop
	cmd.Env, cmd.Dir, cmd.Stdin = c.env, c.dir, c.stdin
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = c.out, c.out, c.extra
	cmd.WaitDelay = pipeGrace
	if c.deathSignal == 0 {
		c.deathSignal = syscall.SIGKILL
	}
	cmd.SysProcAttr = sysProcAttr(c)
	r := spawnRequest{cmd: cmd, reply: make(chan error, 1)}
	s.requests <- r
	if err := <-r.reply; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.path, err)
	}
	p := &process{pid: cmd.Process.Pid, os: cmd.Process, done: make(chan struct{})}
	go func() {
		err := cmd.Wait()
		if errors.Is(err, exec.ErrWaitDelay) {
			err = nil
		}
		// What the process left behind in its group goes with it.
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
		p.err = err
		close(p.done)
	}()
	return p, nil
}

// run starts c and waits for its end; when ctx ends first the process is killed. record is told of the process, and
// returns what is to be called after its end.
func (s *spawner) run(ctx context.Context, c command, record func(pid int) func()) error {
	p, err := s.start(c)
	if err != nil {
		return err
	}
	defer record(p.pid)()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		p.stop(stopStep{signal: syscall.SIGKILL})
		return ctx.Err()
	}
}

// stopStep is one signal and how long its effect is awaited.
type stopStep struct {
	signal syscall.Signal
	grace  time.Duration
}

// stop sends the steps' signals until the process has ended, and SIGKILL to its whole group in the end.
func (p *process) stop(steps ...stopStep) {
	for _, s := range steps {
		_ = p.os.Signal(s.signal) // it may be gone already
		if s.grace == 0 {
			continue
		}
		timer := time.NewTimer(s.grace)
		select {
		case <-p.done:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
	select {
	case <-p.done:
		return
	default:
	}
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	<-p.done
}

// exitText says how a process ended: "exit status 1", "signal: killed", "ended by itself".
func exitText(err error) string {
	if err == nil {
		return "ended by itself with exit status 0"
	}
	return err.Error()
}

// alive reports whether a process with this id exists.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// waitGone polls until the process is gone or d is over, and reports which.
func waitGone(pid int, d time.Duration) bool {
	deadline := time.Now().Add(d)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for alive(pid) && !zombie(pid) {
		if time.Now().After(deadline) {
			return false
		}
		<-tick.C
	}
	return true
}

func ownedByUs(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid()
}
