package native

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/nself-org/nself/internal/ports"
	"github.com/nself-org/nself/internal/stack"
)

// envRun marks what a supervisor starts: every process that inherits it belongs to that one run.
const envRun = "NSELF_RUN"

// envSupervisor marks the supervisor itself with the folder that it serves. What it starts does not inherit it.
const envSupervisor = "NSELF_SUPERVISOR_DIR"

// runState is .nself/run/state.json: what the next supervisor must know to clean up after a killed one.
type runState struct {
	// Dir is the project's folder when it was written; another one tells of a moved or copied project.
	Dir      string           `json:"dir"`
	Run      string           `json:"run"`
	PID      int              `json:"pid"`
	Start    string           `json:"start"`
	Children map[string]child `json:"children"`
}

// child is a process that a supervisor started. Its id alone proves nothing: ids are used again.
type child struct {
	PID     int    `json:"pid"`
	Start   string `json:"start"`
	Service string `json:"service"`
	Port    int    `json:"port,omitempty"`
	DataDir string `json:"data_dir,omitempty"`
}

// is reports whether the recorded process still runs, and is not another one with its id.
func (c child) is() bool {
	return c.PID > 1 && c.Start != "" && startTime(c.PID) == c.Start && !zombie(c.PID)
}

// ledger keeps runState on disk in step with the processes. It is safe for concurrent use.
type ledger struct {
	path string
	log  *slog.Logger

	mu        sync.Mutex
	st        runState
	abandoned bool
}

func openLedger(l layout, log *slog.Logger) (*ledger, error) {
	led := &ledger{path: l.state(), log: log, st: runState{
		Dir: l.dir, Run: rand.Text(), PID: os.Getpid(), Start: startTime(os.Getpid()), Children: map[string]child{},
	}}
	return led, led.save()
}

// add records a process as soon as it runs.
func (l *ledger) add(c child) {
	c.Start = startTime(c.PID)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.st.Children[c.Service] = c
	if err := l.save(); err != nil {
		l.log.Error("record a process", slog.String("service", c.Service), slog.Any("error", err))
	}
}

func (l *ledger) remove(service string, pid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.st.Children[service].PID != pid {
		return
	}
	delete(l.st.Children, service)
	if err := l.save(); err != nil {
		l.log.Error("forget a process", slog.String("service", service), slog.Any("error", err))
	}
}

// save replaces the file in one step. It does not wait for the disk: after a crash of the machine none of the processes
// is left, and a file that cannot be read counts as none.
func (l *ledger) save() error {
	if l.abandoned {
		return nil
	}
	b, err := json.MarshalIndent(l.st, "", "  ")
	if err != nil {
		return fmt.Errorf("write the run state: %w", err)
	}
	tmp := l.path + ".new"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("write the run state: %w", err)
	}
	if err := os.Rename(tmp, l.path); err != nil {
		return fmt.Errorf("write the run state: %w", err)
	}
	return nil
}

// abandon leaves the file to whoever has it now.
func (l *ledger) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.abandoned = true
}

func (l *ledger) close() error {
	if err := os.Remove(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the run state: %w", err)
	}
	return nil
}

func readState(path string) (runState, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return runState{}, false
	}
	var st runState
	if json.Unmarshal(b, &st) != nil || st.Run == "" {
		return runState{}, false
	}
	return st, true
}

// foreign reports whether st came here with a copy of another project's folder, whose processes are none of ours.
func (st runState) foreign(l layout) bool {
	if st.Dir == l.dir {
		return false
	}
	here, err := os.Stat(l.dir)
	if err != nil {
		return true
	}
	there, err := os.Stat(st.Dir)
	if err != nil || os.SameFile(here, there) {
		return false // moved, or reached by another name
	}
	other, ok := readState(layout{st.Dir}.state())
	return ok && other.Run == st.Run
}

// How long recovery waits for what a killed supervisor left: its Postgres is shutting down cleanly by then.
const (
	recoverPostgres = 5 * time.Second
	recoverOther    = 1 * time.Second
)

// awaitFormer waits for a supervisor whose files were taken away, and with them the lock that keeps two apart: it notices
// that by itself, stops its services in good order and ends.
func awaitFormer(ctx context.Context, l layout, log *slog.Logger) {
	for _, pid := range marked(envSupervisor, l.dir) {
		if !holdsDeleted(pid, l.lock()) {
			continue
		}
		begin := time.Now()
		gone := waitGone(pid, lostPatience)
		log.WarnContext(ctx, "waited for the former supervisor, whose files are gone",
			slog.Int("pid", pid), slog.Bool("gone", gone), slog.Duration("took", time.Since(begin)))
	}
}

// recoverOrphans ends the processes that a killed supervisor has left. The caller holds the project's lock. It returns
// what it has ended, for the log.
func recoverOrphans(ctx context.Context, l layout, log *slog.Logger) []child {
	defer endServers(ctx, l, log)
	st, ok := readState(l.state())
	if !ok {
		// Without the record, or with a broken one, the mark of the project's own path is what is left to go by.
		endMarked(ctx, ports.EnvProject, l.dir, log)
		return nil
	}
	if st.foreign(l) {
		log.WarnContext(ctx, "ignored the run state of a copied project", slog.String("original", st.Dir))
		return nil
	}
	var ended []child
	var wg sync.WaitGroup
	for _, c := range st.Children {
		if !c.is() {
			continue
		}
		ended = append(ended, c)
		wg.Go(func() { endOrphan(c) })
	}
	wg.Wait()
	endMarked(ctx, envRun, st.Run, log)
	for _, c := range ended {
		log.WarnContext(ctx, "ended a service of a killed supervisor",
			slog.String("service", c.Service), slog.Int("pid", c.PID))
	}
	return ended
}

// endMarked ends the processes whose environment holds the mark.
func endMarked(ctx context.Context, key, value string, log *slog.Logger) {
	for _, pid := range marked(key, value) {
		log.WarnContext(ctx, "ended a process of a killed supervisor", slog.Int("pid", pid))
		if isPostmaster(pid) {
			stopPostmaster(pid)
			continue
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
		waitGone(pid, recoverOther)
	}
}

// endServers ends a server that runs on the project's data, however it came to run there.
func endServers(ctx context.Context, l layout, log *slog.Logger) {
	places := []pgPlace{{base: l.data()}}
	if dir := outsideDataDir(l); dir != "" {
		places = append(places, pgPlace{base: dir})
	}
	for _, p := range places {
		if err := clearPostmaster(p.data()); err != nil {
			log.WarnContext(ctx, "left a database server alone", slog.Any("error", err))
		}
	}
}

// marks are the variables by which a started process is known later: its run, its project and its service.
func (s *supervisor) marks(service string) []string {
	return []string{
		envRun + "=" + s.ledger.st.Run, ports.EnvProject + "=" + s.lay.dir, ports.EnvService + "=" + service,
	}
}

func endOrphan(c child) {
	if c.Service == stack.Postgres {
		stopPostmaster(c.PID)
		return
	}
	_ = syscall.Kill(c.PID, syscall.SIGTERM)
	if waitGone(c.PID, recoverOther) {
		return
	}
	_ = syscall.Kill(-c.PID, syscall.SIGKILL)
	_ = syscall.Kill(c.PID, syscall.SIGKILL)
	waitGone(c.PID, recoverOther)
}

// stopPostmaster ends a Postgres that is not our child, as cleanly as it lets us. It reports whether it is gone.
func stopPostmaster(pid int) bool {
	for _, s := range []stopStep{
		{syscall.SIGINT, recoverPostgres}, {syscall.SIGQUIT, recoverOther}, {syscall.SIGKILL, recoverOther},
	} {
		_ = syscall.Kill(pid, s.signal)
		if waitGone(pid, s.grace) {
			return true
		}
	}
	return false
}

// projectID is a name for the project that moves with its folder.
func projectID(l layout) (string, error) {
	path := filepath.Join(l.root(), "id")
	b, err := os.ReadFile(path)
	if err == nil && len(b) >= 16 && filepath.Base(string(b)) == string(b) {
		return string(b), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the project's id: %w", err)
	}
	id := rand.Text()
	if err := os.WriteFile(path, []byte(id), 0o600); err != nil {
		return "", fmt.Errorf("write the project's id: %w", err)
	}
	return id, nil
}
