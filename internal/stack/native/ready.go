package native

import (
	"bufio"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/nself-org/nself/internal/stack"
)

//go:embed standby
var standbyFiles embed.FS //nolint:gochecknoglobals // embed needs it

// readiness is what makes a restart quick while somebody watches the project: a compiler that has read the sources, and for
// each runtime a process that has loaded the packages and waits to become the service. It costs memory, so it lasts only
// as long as somebody watches. It is safe for concurrent use.
type readiness struct {
	sup *supervisor

	mu       sync.Mutex
	holders  int
	spares   map[string]*spare // by runtime
	loaded   map[string]*spare // those that have loaded the code and wait for the port
	compiler *spare            // of the NestJS service
	filling  sync.WaitGroup    // joined at the end of the last hold
}

// spare is a process that waits for orders on its standard input.
type spare struct {
	*process
	key     string // what it was started with
	orders  *os.File
	replies *bufio.Reader
	answers *os.File
	asking  sync.Mutex
}

// errSpareEnded says that a process in waiting has ended instead of answering.
var errSpareEnded = errors.New("it has ended")

func newReadiness(s *supervisor) *readiness {
	return &readiness{sup: s, spares: map[string]*spare{}, loaded: map[string]*spare{}}
}

// hold keeps ready until ctx ends.
func (r *readiness) hold(ctx context.Context) {
	r.mu.Lock()
	r.holders++
	r.mu.Unlock()
	for _, name := range []string{"nestjs", "python"} {
		if u := r.sup.unit(name); u != nil && u.active() {
			if f, ok := u.prog.(*function); ok {
				r.fill(f, f.inv)
			}
		}
	}
	<-ctx.Done()
	r.mu.Lock()
	r.holders--
	last := r.holders == 0
	r.mu.Unlock()
	if !last {
		return
	}
	r.filling.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holders > 0 {
		return // somebody came meanwhile
	}
	for _, all := range []map[string]*spare{r.spares, r.loaded} {
		for _, sp := range all {
			sp.dismiss()
		}
		clear(all)
	}
	if r.compiler != nil {
		r.compiler.dismiss()
		r.compiler = nil
	}
}

func (r *readiness) held() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holders > 0
}

// fill starts what is missing for a service that Prepare has returned inv for, in the background.
func (r *readiness) fill(f *function, inv Invocation) {
	ready, ok := f.runner.(readyRunner)
	if !ok || !r.held() || inv.Path == "" {
		return
	}
	r.filling.Go(func() {
		if err := r.fillNow(f, ready, inv); err != nil {
			r.sup.Log.Warn("no process in waiting", slog.String("service", f.rt.Name), slog.Any("error", err))
		}
	})
}

func (r *readiness) fillNow(f *function, ready readyRunner, inv Invocation) error {
	dir, err := r.scripts()
	if err != nil {
		return err
	}
	if c, ok := ready.compiler(dir); ok {
		r.mu.Lock()
		missing := r.compiler == nil || r.compiler.ended() || r.compiler.key != c.key()
		r.mu.Unlock()
		if missing {
			if err := r.put(f, c, func(sp *spare) *spare {
				old := r.compiler
				r.compiler = sp
				return old
			}); err != nil {
				return err
			}
		}
	}
	key := f.spareKey(inv)
	r.mu.Lock()
	have := r.spares[f.rt.Name]
	r.mu.Unlock()
	if have != nil && !have.ended() && have.key == key {
		return nil
	}
	c := ready.spare(dir, inv)
	c.env, c.dir = f.environmentOf(inv), f.sup.lay.function(f.rt.Name)
	return r.put(f, c, func(sp *spare) *spare {
		sp.key = key
		old := r.spares[f.rt.Name]
		r.spares[f.rt.Name] = sp
		return old
	})
}

// put starts a process and has it kept, unless nobody watches any more.
func (r *readiness) put(f *function, c command, keep func(*spare) *spare) error {
	sp, err := r.start(f.rt.Name, c)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holders == 0 {
		sp.dismiss()
		return nil
	}
	if old := keep(sp); old != nil {
		old.dismiss()
	}
	return nil
}

func (r *readiness) start(service string, c command) (*spare, error) {
	read, orders, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start a process in waiting: %w", err)
	}
	defer func() { _ = read.Close() }()
	answers, write, err := os.Pipe()
	if err != nil {
		_ = orders.Close()
		return nil, fmt.Errorf("start a process in waiting: %w", err)
	}
	defer func() { _ = write.Close() }()
	key := c.key()
	c.stdin, c.extra, c.deathSignal = read, []*os.File{write}, syscall.SIGKILL
	proc, err := r.sup.spawn.start(c)
	if err != nil {
		_, _ = orders.Close(), answers.Close()
		return nil, err
	}
	name := fmt.Sprintf("%s-waiting-%d", service, proc.pid)
	r.sup.ledger.add(child{PID: proc.pid, Service: name})
	go func() {
		<-proc.done
		r.sup.ledger.remove(name, proc.pid)
	}()
	return &spare{process: proc, key: key, orders: orders, answers: answers, replies: bufio.NewReader(answers)}, nil
}

// scripts writes what the processes in waiting run, and returns the folder.
func (r *readiness) scripts() (string, error) {
	dir := filepath.Join(r.sup.lay.root(), "cache", "standby")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("write the programs in waiting: %w", err)
	}
	entries, err := fs.ReadDir(standbyFiles, "standby")
	if err != nil {
		return "", fmt.Errorf("write the programs in waiting: %w", err)
	}
	for _, e := range entries {
		b, err := fs.ReadFile(standbyFiles, "standby/"+e.Name())
		if err != nil {
			return "", fmt.Errorf("write the programs in waiting: %w", err)
		}
		path := filepath.Join(dir, e.Name())
		if have, err := os.ReadFile(path); err == nil && string(have) == string(b) {
			continue
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return "", fmt.Errorf("write the programs in waiting: %w", err)
		}
	}
	return dir, nil
}

// take returns the process that waits to become the service, if one does that was started for just that.
func (r *readiness) take(from map[string]*spare, service, key string) *spare {
	r.mu.Lock()
	defer r.mu.Unlock()
	sp := from[service]
	if sp == nil {
		return nil
	}
	delete(from, service)
	if sp.ended() || sp.key != key {
		sp.dismiss()
		return nil
	}
	return sp
}

// serve makes the process that waits for it the service. Nil: there is none.
func (r *readiness) serve(f *function) *process {
	key := f.spareKey(f.inv)
	sp := r.take(r.loaded, f.rt.Name, key)
	if sp == nil {
		sp = r.take(r.spares, f.rt.Name, key)
	}
	if sp == nil {
		return nil
	}
	_, err := sp.orders.WriteString("serve\n")
	_, _ = sp.orders.Close(), sp.answers.Close()
	if err != nil {
		sp.stop(stopStep{signal: syscall.SIGKILL})
		return nil
	}
	return sp.process
}

// load has a process in waiting load the service's code. It reports false where there is none; an error is that of code
// which does not load.
func (r *readiness) load(ctx context.Context, f *function, inv Invocation) (bool, error) {
	sp := r.take(r.spares, f.rt.Name, f.spareKey(inv))
	if sp == nil {
		return false, nil
	}
	if _, err := sp.ask(ctx, "load"); err != nil {
		sp.dismiss()
		if ctx.Err() != nil {
			return true, ctx.Err()
		}
		<-sp.done
		r.fill(f, inv)
		return true, fmt.Errorf("load functions/%s: %s", f.rt.Name, exitText(sp.err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holders == 0 {
		sp.dismiss()
		return false, nil
	}
	if old := r.loaded[f.rt.Name]; old != nil {
		old.dismiss()
	}
	r.loaded[f.rt.Name] = sp
	return true, nil
}

// compile has the compiler in waiting build the NestJS service. It reports false where there is none, or it cannot;
// faults is what it says about the code.
func (r *readiness) compile(ctx context.Context, c command) (faults string, done bool) {
	r.mu.Lock()
	sp := r.compiler
	r.mu.Unlock()
	if sp == nil || sp.key != c.key() {
		return "", false
	}
	line, err := sp.ask(ctx, "build")
	var answer struct {
		OK     bool
		Broken bool
		Text   string
	}
	if err != nil || json.Unmarshal([]byte(line), &answer) != nil || answer.Broken {
		sp.dismiss()
		return "", false
	}
	return answer.Text, true
}

func (sp *spare) ended() bool {
	select {
	case <-sp.done:
		return true
	default:
		return false
	}
}

// ask gives an order and waits for the line that answers it. After an error the process is of no more use.
func (sp *spare) ask(ctx context.Context, order string) (string, error) {
	sp.asking.Lock()
	defer sp.asking.Unlock()
	defer context.AfterFunc(ctx, func() { _ = sp.answers.Close() })()
	if _, err := sp.orders.WriteString(order + "\n"); err != nil {
		return "", errSpareEnded
	}
	line, err := sp.replies.ReadString('\n')
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", errSpareEnded
	}
	return strings.TrimSuffix(line, "\n"), nil
}

// dismiss ends the process without waiting for that.
func (sp *spare) dismiss() {
	_, _ = sp.orders.Close(), sp.answers.Close()
	_ = syscall.Kill(-sp.pid, syscall.SIGKILL)
}

// key tells one command from another.
func (c command) key() string {
	parts := append([]string{c.path, c.dir}, c.args...)
	return fingerprint(append(parts, c.env...)...)
}

// readyRunner is a Runner whose service can be held ready.
type readyRunner interface {
	// spare is how to start a process in waiting with the scripts in dir, for what Prepare has returned. The service's
	// folder and environment are set by the caller.
	spare(dir string, inv Invocation) command
	// compiler is the compiler that can be held ready, if there is one.
	compiler(dir string) (command, bool)
}

// spareKey tells for which version of packages and settings a process in waiting is good.
func (f *function) spareKey(inv Invocation) string {
	return command{path: inv.Path, args: inv.Args, env: f.environmentOf(inv), dir: f.sup.lay.function(f.rt.Name)}.key()
}

// KeepReady holds processes in waiting until ctx ends; see [stack.KeptReady].
func (d *driver) KeepReady(ctx context.Context) error {
	err := d.client.call(ctx, "/v1/ready", struct{}{}, func(message) {})
	if ctx.Err() != nil {
		err = nil
	}
	return err
}

var _ stack.KeptReady = (*driver)(nil)
