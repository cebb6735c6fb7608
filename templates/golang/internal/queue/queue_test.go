package queue

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/store"
	"github.com/nself-org/nself/templates/golang/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

type greeting struct {
	Name string `json:"name"`
}

func (greeting) Kind() string { return "greeting" }

type greeter struct {
	river.WorkerDefaults[greeting]
	greeted chan string
}

func (g *greeter) Work(_ context.Context, job *river.Job[greeting]) error {
	g.greeted <- job.Args.Name
	return nil
}

// Work is done after the commit and not without one, also while Postgres is down when the service starts, and by two
// instances that start at once.
func TestInsert(t *testing.T) {
	t.Parallel()
	proxy := testenv.ProxyPostgres(t, testenv.Database(t))
	pool, err := store.OpenPool(t.Context(), config.Secret(proxy.URL), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	proxy.Down()

	greeted := make(chan string, 10)
	var queues []*Queue
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	for range 2 {
		q := New(pool, slog.New(slog.DiscardHandler), Options{Concurrency: 1, MaxAttempts: 2, Backoff: time.Second})
		Add(q, &greeter{greeted: greeted})
		go func() { ended <- q.Run(ctx) }()
		queues = append(queues, q)
	}
	proxy.Up()

	err = store.InTx(ctx, pool, func(tx pgx.Tx) error {
		if err := queues[0].Insert(ctx, tx, greeting{"undone"}); err != nil {
			t.Error(err)
		}
		return context.Canceled // rolls back
	})
	if err == nil {
		t.Fatal("the transaction was not rolled back")
	}
	if err := store.InTx(ctx, pool, func(tx pgx.Tx) error {
		return queues[1].Insert(ctx, tx, greeting{"a"}, greeting{"b"})
	}); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{<-greeted: true, <-greeted: true}
	if !got["a"] || !got["b"] {
		t.Errorf("got %v", got)
	}
	stop()
	for range queues {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if len(greeted) > 0 {
		t.Errorf("%s was greeted too", <-greeted)
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	for attempt, want := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 100: maxBackoff,
	} {
		if got := Pause(time.Second, attempt); got != want {
			t.Errorf("after attempt %d the pause is %s, want %s", attempt, got, want)
		}
	}
}
