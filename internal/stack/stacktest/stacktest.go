// Package stacktest specifies what every stack.Driver does. A driver's own tests call [Run] with a function that makes
// projects; the driver passes when all subtests do.
package stacktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/stack"
)

// Subject is a fresh project, for one test, with Postgres and one function service. The service answers GET /pid with its
// process id, GET /env?key=K with a variable, POST /log?text=T by printing T, and POST /crash by ending with an error. It
// ends at once when CRASH_ON_START is set, and its readiness probe fails with the text of NOT_READY.
type Subject struct {
	// Driver opens the project's driver anew, as each command does.
	Driver func(t *testing.T) stack.Driver
	// Function is the name of the function service.
	Function string
	// Set gives the settings, on top of the project's own; those of the call before are gone.
	Set func(t *testing.T, settings map[string]string)
	// Call asks the function service and returns the reply's body.
	Call func(ctx context.Context, method, path string) (string, error)
}

// patience is how long the suite waits for what must come.
const patience = time.Minute

// Run checks the driver of the projects that open makes. Each call of open must give a project of its own.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, *run)
	}{
		{"UpMakesAllHealthy", upMakesAllHealthy},
		{"UpAgainChangesNothing", upAgainChangesNothing},
		{"UpStartsOnlyWhatIsNamed", upStartsOnlyWhatIsNamed},
		{"UpRestartsWhatHasChanged", upRestartsWhatHasChanged},
		{"StoppedStackHasNotChanged", stoppedStackHasNotChanged},
		{"UnknownServiceIsUsage", unknownServiceIsUsage},
		{"LateServiceIsReported", lateServiceIsReported},
		{"InterruptedUpTakesBack", interruptedUpTakesBack},
		{"StatusOfStoppedStack", statusOfStoppedStack},
		{"LogsTailAndFollow", logsTailAndFollow},
		{"ExecInService", execInService},
		{"RestartOne", restartOne},
		{"CrashedServiceComesBack", crashedServiceComesBack},
		{"CrashLoopEnds", crashLoopEnds},
		{"DownTwice", downTwice},
		{"DataSurvivesDown", dataSurvivesDown},
		{"DownWithVolumesForgets", downWithVolumesForgets},
		{"TwoProjectsSideBySide", func(t *testing.T, r *run) { twoProjects(t, r, &run{Subject: open(t)}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, &run{Subject: open(t)})
		})
	}
}

// run is a subject with the events of its driver.
type run struct {
	Subject

	mu     sync.Mutex
	events []stack.Event
}

func (r *run) report(e stack.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *run) taken() []stack.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events = nil
	return events
}

func (r *run) up(t *testing.T, services ...string) error {
	t.Helper()
	return r.Driver(t).Up(t.Context(), stack.UpOptions{Services: services, WaitTimeout: patience, Report: r.report})
}

func (r *run) mustUp(t *testing.T, services ...string) []stack.Event {
	t.Helper()
	if err := r.up(t, services...); err != nil {
		t.Fatalf("up %v: %v; events: %+v", services, err, r.taken())
	}
	return r.taken()
}

func (r *run) mustDown(t *testing.T, opts stack.DownOptions) {
	t.Helper()
	opts.Report = r.report
	if err := r.Driver(t).Down(t.Context(), opts); err != nil {
		t.Fatalf("down: %v", err)
	}
}

func (r *run) status(t *testing.T) map[string]stack.ServiceStatus {
	t.Helper()
	st, err := r.Driver(t).Status(t.Context())
	if err != nil {
		t.Fatalf("status: %v", err)
	}
	byName := map[string]stack.ServiceStatus{}
	for _, s := range st.Services {
		byName[s.Name] = s
	}
	return byName
}

func (r *run) call(t *testing.T, method, path string) string {
	t.Helper()
	text, err := r.Call(t.Context(), method, path)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return text
}

func (r *run) psql(t *testing.T, sql string) string {
	t.Helper()
	var out, errs strings.Builder
	code, err := r.Driver(t).Exec(t.Context(), stack.ExecOptions{
		Service: stack.Postgres, Command: []string{"psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql},
		Stdout: &out, Stderr: &errs,
	})
	if err != nil || code != 0 {
		t.Fatalf("psql %q: exit code %d, %v\n%s", sql, code, err, errs.String())
	}
	return strings.TrimSpace(out.String())
}

// wantChanged fails unless the driver names just these services as changed since they started.
func (r *run) wantChanged(t *testing.T, want ...string) {
	t.Helper()
	got, err := r.Driver(t).Changed(t.Context())
	slices.Sort(got)
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("changed since they started: %v, %v, want %v", got, err, want)
	}
}

// eventually polls until check returns nil, and fails the test with its last error when that does not come.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", patience, err)
		}
		<-tick.C
	}
}

func find(events []stack.Event, service string, kind stack.EventKind) *stack.Event {
	for i, e := range events {
		if e.Service == service && e.Kind == kind {
			return &events[i]
		}
	}
	return nil
}

// healthy fails unless every named service is, and every other one is stopped.
func healthy(st map[string]stack.ServiceStatus, names ...string) error {
	var errs []error
	want := map[string]stack.State{}
	for _, n := range names {
		want[n] = stack.StateHealthy
	}
	for name, s := range st {
		state := want[name]
		if state == "" {
			state = stack.StateStopped
		}
		if s.State != state {
			errs = append(errs, fmt.Errorf("%s is %s (%s), want %s", name, s.State, s.Detail, state))
		}
	}
	return errors.Join(errs...)
}

func names(st map[string]stack.ServiceStatus) []string {
	var list []string
	for name := range st {
		list = append(list, name)
	}
	return list
}
