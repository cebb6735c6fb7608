package stacktest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

func upMakesAllHealthy(t *testing.T, r *run) {
	t.Helper()
	events := r.mustUp(t)
	st := r.status(t)
	if err := healthy(st, names(st)...); err != nil {
		t.Error(err)
	}
	for name, s := range st {
		if s.Port == 0 || s.URL == "" {
			t.Errorf("%s has no port or URL: %+v", name, s)
		}
		e := find(events, name, stack.EventHealthy)
		if e == nil || e.Elapsed <= 0 || e.Time.IsZero() {
			t.Errorf("%s: healthy event is %+v, want one with time and elapsed time", name, e)
		}
	}
	if find(events, r.Function, stack.EventStarting) == nil {
		t.Errorf("no starting event of %s", r.Function)
	}
}

func upAgainChangesNothing(t *testing.T, r *run) {
	t.Helper()
	r.mustUp(t)
	before := r.status(t)
	events := r.mustUp(t)
	for name, s := range r.status(t) {
		if b := before[name]; s.PID != b.PID || !s.Started.Equal(b.Started) || s.State != stack.StateHealthy {
			t.Errorf("%s was %+v and is %+v after the second up", name, b, s)
		}
		if e := find(events, name, stack.EventStarting); e != nil {
			t.Errorf("the second up started %s", name)
		}
	}
}

func upStartsOnlyWhatIsNamed(t *testing.T, r *run) {
	t.Helper()
	r.mustUp(t, stack.Postgres)
	if err := healthy(r.status(t), stack.Postgres); err != nil {
		t.Fatalf("after up postgres: %v", err)
	}
	r.mustUp(t, r.Function)
	st := r.status(t)
	for _, name := range []string{stack.Postgres, r.Function} {
		if st[name].State != stack.StateHealthy {
			t.Errorf("after up %s: %s is %s", r.Function, name, st[name].State)
		}
	}
	if st[stack.Hasura].State != stack.StateStopped {
		t.Errorf("after up %s: %s is %s, want stopped", r.Function, stack.Hasura, st[stack.Hasura].State)
	}
}

func upRestartsWhatHasChanged(t *testing.T, r *run) {
	r.mustUp(t)
	before := r.status(t)
	pid := r.call(t, http.MethodGet, "/pid")
	r.wantChanged(t)
	r.Set(t, map[string]string{"GREETING": "bonjour"})
	r.wantChanged(t, stack.Hasura, r.Function) // the engine has the variable for the handlers' headers
	r.mustUp(t)
	r.wantChanged(t)
	if got := r.call(t, http.MethodGet, "/env?key=GREETING"); got != "bonjour" {
		t.Errorf("GREETING is %q in the service, want the new value", got)
	}
	if r.call(t, http.MethodGet, "/pid") == pid && r.status(t)[r.Function].Started.Equal(before[r.Function].Started) {
		t.Error("the service was not restarted")
	}
	if after := r.status(t); !after[stack.Postgres].Started.Equal(before[stack.Postgres].Started) {
		t.Error("postgres was restarted for a variable that it does not see")
	}
}

func stoppedStackHasNotChanged(t *testing.T, r *run) {
	r.wantChanged(t)
	r.mustUp(t, stack.Postgres)
	r.Set(t, map[string]string{"GREETING": "bonjour"})
	r.wantChanged(t) // the service that sees it does not run
	r.mustDown(t, stack.DownOptions{})
	r.wantChanged(t)
}

func unknownServiceIsUsage(t *testing.T, r *run) {
	for what, err := range map[string]error{
		"up":      r.up(t, "postgers"),
		"restart": r.Driver(t).Restart(t.Context(), []string{"postgers"}, stack.UpOptions{}),
		"logs": r.Driver(t).Logs(t.Context(), stack.LogsOptions{
			Services: []string{"postgers"}, Sink: func(stack.LogLine) {},
		}),
	} {
		if !errors.Is(err, errdefs.ErrUsage) {
			t.Errorf("%s: %v, want class usage", what, err)
		}
		if len(errdefs.Hints(err)) == 0 {
			t.Errorf("%s: no hint with %v", what, err)
		}
	}
	_, err := r.Driver(t).Exec(t.Context(), stack.ExecOptions{Service: "postgers", Command: []string{"true"}})
	if !errors.Is(err, errdefs.ErrUsage) {
		t.Errorf("exec: %v, want class usage", err)
	}
}

func lateServiceIsReported(t *testing.T, r *run) {
	r.mustUp(t, stack.Postgres) // whose first start may take longer than the service is given here
	r.Set(t, map[string]string{"NOT_READY": "no mailbox yet"})
	err := r.Driver(t).Up(t.Context(), stack.UpOptions{WaitTimeout: 15 * time.Second, Report: r.report}) // the time in which it has to answer once
	if !errors.Is(err, errdefs.ErrUnhealthy) {
		t.Fatalf("up: %v, want class unhealthy", err)
	}
	events := r.taken()
	e := find(events, r.Function, stack.EventFailed)
	if e == nil {
		t.Fatalf("no failed event of %s in %+v", r.Function, events)
	}
	if !strings.Contains(e.Detail, "no mailbox yet") {
		t.Errorf("the failed event says %q, want the probe's answer in it", e.Detail)
	}
	if !slices.ContainsFunc(e.Log, func(l string) bool { return strings.Contains(l, "service starts") }) {
		t.Errorf("the failed event's log is %q, want the service's last lines", e.Log)
	}
	st := r.status(t)
	if st[stack.Postgres].State != stack.StateHealthy {
		t.Errorf("postgres is %s, want it left running", st[stack.Postgres].State)
	}
	if got := r.call(t, http.MethodGet, "/env?key=NOT_READY"); got != "no mailbox yet" {
		t.Errorf("the late service does not answer any more: %q", got)
	}
	r.Set(t, nil)
	r.mustUp(t)
}

func interruptedUpTakesBack(t *testing.T, r *run) {
	r.Set(t, map[string]string{"NOT_READY": "never"})
	r.mustUp(t, stack.Postgres)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := r.Driver(t).Up(ctx, stack.UpOptions{WaitTimeout: patience, Report: func(e stack.Event) {
		if e.Service == r.Function && e.Kind == stack.EventStarting {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("up: %v, want canceled", err)
	}
	if err := healthy(r.status(t), stack.Postgres); err != nil {
		t.Errorf("after the interrupted up: %v", err)
	}
	if _, err := r.Call(t.Context(), http.MethodGet, "/pid"); err == nil {
		t.Error("the function service still answers")
	}
	r.Set(t, nil)
	r.mustUp(t)
}

func statusOfStoppedStack(t *testing.T, r *run) {
	st, err := r.Driver(t).Status(t.Context())
	if err != nil {
		t.Fatalf("status: %v", err)
	}
	if st.Running || st.Driver == "" || st.Project == "" {
		t.Errorf("status of a stopped stack is %+v", st)
	}
	for _, s := range st.Services {
		if s.State != stack.StateStopped || s.PID != 0 || s.Port == 0 {
			t.Errorf("%+v, want stopped with its port", s)
		}
	}
	if len(st.Services) < 3 {
		t.Errorf("status lists %d services, want all of the project", len(st.Services))
	}
}

func logsTailAndFollow(t *testing.T, r *run) {
	r.mustUp(t, r.Function)
	for _, text := range []string{"alpha", "beta", "gamma"} {
		r.call(t, http.MethodPost, "/log?text="+text)
	}
	read := func(opts stack.LogsOptions) []stack.LogLine {
		var lines []stack.LogLine
		opts.Services = []string{r.Function}
		opts.Sink = func(l stack.LogLine) { lines = append(lines, l) }
		if err := r.Driver(t).Logs(t.Context(), opts); err != nil {
			t.Fatalf("logs: %v", err)
		}
		return lines
	}
	eventually(t, func() error {
		if got := read(stack.LogsOptions{Tail: 2}); len(got) != 2 || got[0].Text != "beta" || got[1].Text != "gamma" {
			return fmt.Errorf("the last two lines are %+v, want beta and gamma", got)
		}
		return nil
	})
	for _, l := range read(stack.LogsOptions{}) {
		if l.Service != r.Function || time.Since(l.Time) > 10*time.Minute {
			t.Errorf("line %+v, want service and time", l)
		}
	}
	if got := read(stack.LogsOptions{Since: time.Nanosecond}); len(got) != 0 {
		t.Errorf("lines younger than a nanosecond: %+v", got)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := make(chan string, 100)
	done := make(chan error, 1)
	go func() {
		done <- r.Driver(t).Logs(ctx, stack.LogsOptions{
			Services: []string{r.Function}, Tail: 1, Follow: true, Sink: func(l stack.LogLine) { seen <- l.Text },
		})
	}()
	if first := <-seen; first != "gamma" {
		t.Errorf("following starts with %q, want gamma", first)
	}
	r.call(t, http.MethodPost, "/log?text=delta")
	select {
	case next := <-seen:
		if next != "delta" {
			t.Errorf("following goes on with %q, want delta", next)
		}
	case <-time.After(patience):
		t.Error("following gives nothing new")
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("following ended with %v, want nil", err)
	}
}

func execInService(t *testing.T, r *run) {
	r.Set(t, map[string]string{"GREETING": "hei"})
	r.mustUp(t, r.Function)
	if got := r.psql(t, "SELECT 6*7"); got != "42" {
		t.Errorf("psql gives %q", got)
	}
	var out strings.Builder
	code, err := r.Driver(t).Exec(t.Context(), stack.ExecOptions{
		Service: r.Function, Command: []string{"sh", "-c", `read line; echo "$GREETING $line"; exit 7`},
		Stdin: strings.NewReader("verden\n"), Stdout: &out, Stderr: &out,
	})
	if err != nil || code != 7 || out.String() != "hei verden\n" {
		t.Errorf("exec: code %d, %v, output %q; want 7, nil and the greeting", code, err, out.String())
	}
}

func restartOne(t *testing.T, r *run) {
	r.mustUp(t)
	before := r.status(t)
	err := r.Driver(t).Restart(t.Context(), []string{r.Function}, stack.UpOptions{WaitTimeout: patience, Report: r.report})
	if err != nil {
		t.Fatalf("restart: %v", err)
	}
	after := r.status(t)
	if !after[r.Function].Started.After(before[r.Function].Started) {
		t.Errorf("%s was not restarted", r.Function)
	}
	if !after[stack.Postgres].Started.Equal(before[stack.Postgres].Started) {
		t.Error("postgres was restarted too")
	}
	if err := healthy(after, names(after)...); err != nil {
		t.Error(err)
	}
}

func crashedServiceComesBack(t *testing.T, r *run) {
	r.mustUp(t, r.Function)
	before := r.status(t)[r.Function]
	if _, err := r.Call(t.Context(), http.MethodPost, "/crash"); err == nil {
		t.Fatal("the service has not crashed")
	}
	eventually(t, func() error {
		s := r.status(t)[r.Function]
		if s.State != stack.StateHealthy || s.Restarts != before.Restarts+1 {
			return fmt.Errorf("%+v, want healthy with one more restart", s)
		}
		return nil
	})
	r.call(t, http.MethodGet, "/pid")
}

func crashLoopEnds(t *testing.T, r *run) {
	r.Set(t, map[string]string{"CRASH_ON_START": "yes"})
	err := r.up(t)
	if !errors.Is(err, errdefs.ErrUnhealthy) {
		t.Fatalf("up: %v, want class unhealthy", err)
	}
	e := find(r.taken(), r.Function, stack.EventFailed)
	if e == nil || !slices.ContainsFunc(e.Log, func(l string) bool { return strings.Contains(l, "CRASH_ON_START is set") }) {
		t.Errorf("the failed event is %+v, want one with the service's last words", e)
	}
	st := r.status(t)
	if st[r.Function].State != stack.StateCrashed {
		t.Errorf("%s is %s, want crashed", r.Function, st[r.Function].State)
	}
	if st[stack.Postgres].State != stack.StateHealthy {
		t.Errorf("postgres is %s, want it left running", st[stack.Postgres].State)
	}
	r.Set(t, nil)
	r.mustUp(t)
	if got := r.status(t)[r.Function].State; got != stack.StateHealthy {
		t.Errorf("after the cure %s is %s", r.Function, got)
	}
}

func downTwice(t *testing.T, r *run) {
	r.mustDown(t, stack.DownOptions{}) // nothing was ever started
	r.mustUp(t)
	r.taken()
	r.mustDown(t, stack.DownOptions{})
	if find(r.taken(), r.Function, stack.EventStopped) == nil {
		t.Errorf("no stopped event of %s", r.Function)
	}
	if err := healthy(r.status(t)); err != nil {
		t.Error(err)
	}
	if _, err := r.Call(t.Context(), http.MethodGet, "/pid"); err == nil {
		t.Error("the function service still answers")
	}
	r.mustDown(t, stack.DownOptions{})
}

func dataSurvivesDown(t *testing.T, r *run) {
	r.mustUp(t, stack.Postgres)
	r.psql(t, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")
	r.mustDown(t, stack.DownOptions{})
	r.mustUp(t, stack.Postgres)
	if got := r.psql(t, "SELECT id FROM kept"); got != "7" {
		t.Errorf("the row is %q, want 7", got)
	}
}

func downWithVolumesForgets(t *testing.T, r *run) {
	r.mustUp(t, stack.Postgres)
	r.psql(t, "CREATE TABLE kept (id int)")
	r.mustDown(t, stack.DownOptions{Volumes: true})
	r.mustUp(t, stack.Postgres)
	if got := r.psql(t, "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'"); got != "0" {
		t.Error("the table is still there")
	}
}

func twoProjects(t *testing.T, one, two *run) {
	one.mustUp(t)
	two.mustUp(t)
	one.psql(t, "CREATE TABLE mine (id int)")
	if got := two.psql(t, "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'"); got != "0" {
		t.Error("the projects share a database")
	}
	one.mustDown(t, stack.DownOptions{})
	st := two.status(t)
	if err := healthy(st, names(st)...); err != nil {
		t.Errorf("the other project, after down of the first: %v", err)
	}
}
