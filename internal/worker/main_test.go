package worker_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/actionlog/postgres"
	"github.com/nself-org/nself/internal/worker"
)

// Environment variables that make the test binary a worker process.
const (
	databaseKey = "NSELF_TEST_WORKER_DATABASE"
	handlerKey  = "NSELF_TEST_WORKER_HANDLER"
)

// processLease is the lease of workers in processes: how long the tests wait after a kill. A machine that stands still for
// longer makes living workers lose theirs, and their calls run again.
const processLease = 10 * time.Second

func TestMain(m *testing.M) {
	if url := os.Getenv(databaseKey); url != "" {
		if err := work(url, os.Getenv(handlerKey)); err != nil {
			panic(err)
		}
		return
	}
	m.Run()
}

// work is a worker process: it calls the handler until it is told to stop.
func work(database, handler string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { // the input ends with the test binary, however that ends
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := postgres.Open(postgres.Options{URL: database, Log: log, Lease: processLease})
	if err != nil {
		return err
	}
	defer s.Close()
	w, err := worker.New(worker.Options{
		Queue: s, Log: log, Interval: 100 * time.Millisecond, Grace: -1, BatchSize: 50,
		Call: func(ctx context.Context, c actionlog.Claim) actionlog.Outcome { return callOver(ctx, handler, c) },
	})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// callOver calls a handler over HTTP, as the gateway does.
func callOver(ctx context.Context, handler string, c actionlog.Claim) actionlog.Outcome {
	fail := func(err error) actionlog.Outcome {
		text, _ := json.Marshal(map[string]string{"error": err.Error()})
		return actionlog.Fail(text)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, handler, strings.NewReader(`{}`))
	if err != nil {
		return fail(err)
	}
	req.Header.Set(actionlog.IDHeader, c.ID)
	req.Header.Set("X-Test-Pid", strconv.Itoa(os.Getpid()))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fail(err)
	}
	return actionlog.Complete(body)
}
