package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// watched is one runtime's handler that is saved again and again.
type watched struct {
	name, key string // the runtime, and the setting of its port
	handler   string
	stub      *regexp.Regexp // what the handler does at first
	answer    string         // what it does then, with a place for the answer
	limit     float64        // ms from saving to answering
}

func watchedRuntimes() []watched {
	return []watched{
		{
			"golang", "GOLANG_PORT", "functions/golang/actions/ping.go",
			regexp.MustCompile(`return nil, action\.NotImplemented.*|answer := ".*"; return &answer, nil`),
			`answer := "%s"; return &answer, nil`, 1000,
		},
		{
			"nestjs", "NESTJS_PORT", "functions/nestjs/src/actions/ping.controller.ts",
			regexp.MustCompile(`throw ActionError\.notImplemented.*|return '.*' \+ call\.action\.name;`),
			`return '%s' + call.action.name;`, 1000,
		},
		{
			"python", "PYTHON_PORT", "functions/python/actions/ping.py",
			regexp.MustCompile(`raise errors\.not_implemented.*|return ".*" \+ errors\.__name__`),
			`return "%s" + errors.__name__`, 500,
		},
	}
}

const (
	// watchPatience bounds one save, the first of which may wait for the compiler to have read everything.
	watchPatience = 2 * time.Minute
	// watchProbe is how often the handler is asked: more often would take the processor from what is measured.
	watchProbe = 10 * time.Millisecond
	// watchPause is how long a person at least looks at an answer before the next save.
	watchPause = 3 * time.Second
)

// watch measures the time from saving a handler to the new code's answer, and how long nothing answered meanwhile.
func (b *bench) watch() error {
	fmt.Println("nself up --watch: from saving a handler to its answer")
	for _, w := range watchedRuntimes() {
		if err := b.watchOne(w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

func (b *bench) watchOne(w watched) error {
	dir, err := os.MkdirTemp("", "nself-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // Postgres runs as another user when this runs as root
		return err
	}
	shop, types := filepath.Join(dir, "shop"), filepath.Join(dir, "ping.graphql")
	if err := os.WriteFile(types, []byte("ping(text: String!): String"), 0o644); err != nil {
		return err
	}
	err = b.all(dir, []string{"init", "shop", "--runtime", w.name},
		[]string{"-C", shop, "action", "new", "ping", "--runtime", w.name, "--sdl", types})
	if err != nil {
		return err
	}
	if err := freePorts(shop); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	if err := appendFile(filepath.Join(shop, ".env.local"), fmt.Sprintf("%s=%d\n", w.key, port)); err != nil {
		return err
	}
	if err := b.all(shop, []string{"build"}); err != nil {
		return err
	}
	defer b.all(shop, []string{"down", "--driver", "native", "--volumes"}) //nolint:errcheck // the figures are out by then
	s := &saver{watched: w, shop: shop, port: port, timeout: "10m"}
	if s.secret, err = b.setting(shop, "HASURA_GRAPHQL_ADMIN_SECRET"); err != nil {
		return err
	}
	stop, err := s.start(b.nself)
	if err != nil {
		return err
	}
	defer stop()
	for range 2 { // until all that is held ready is there
		if _, _, err := s.save(); err != nil {
			return err
		}
	}
	var took, gaps []time.Duration
	for range min(b.runs, 7) {
		time.Sleep(watchPause)
		t, gap, err := s.save()
		if err != nil {
			return err
		}
		took, gaps = append(took, t), append(gaps, gap)
	}
	b.limit(w.name, ms(median(took)), "not answering for "+ms(median(gaps)), "%.0f ms", millis(median(took)), w.limit)
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// setting reads one setting of a project.
func (b *bench) setting(shop, key string) (string, error) {
	cmd := exec.Command(b.nself, "config", "get", key, "--reveal", "-C", shop)
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// saver saves a handler with a new answer and waits for it.
type saver struct {
	watched
	shop, secret, timeout string
	port, count           int
}

// start runs nself up --watch and returns what ends it, once it watches.
func (s *saver) start(nself string) (func(), error) {
	cmd := exec.Command(nself, "up", "--watch", "--driver", "native", "--wait-timeout", s.timeout, "-C", s.shop)
	out := &waitingFor{text: "Watching", found: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	select {
	case <-out.found:
	case <-ended:
		return nil, fmt.Errorf("nself up --watch ended\n%s", out.all.Bytes())
	}
	return func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		<-ended
	}, nil
}

// waitingFor notices a text in what is written.
type waitingFor struct {
	text  string
	all   bytes.Buffer
	found chan struct{}
	done  bool
}

func (w *waitingFor) Write(b []byte) (int, error) {
	w.all.Write(b)
	if !w.done && bytes.Contains(w.all.Bytes(), []byte(w.text)) {
		w.done = true
		close(w.found)
	}
	return len(b), nil
}

func (s *saver) save() (took, gap time.Duration, err error) {
	s.count++
	answer := fmt.Sprintf("answer-%d-", s.count)
	path := filepath.Join(s.shop, filepath.FromSlash(s.handler))
	code, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	if !s.stub.Match(code) {
		return 0, 0, fmt.Errorf("%s: the stub is not what was expected", s.handler)
	}
	code = s.stub.ReplaceAllLiteral(code, fmt.Appendf(nil, s.answer, answer))
	begin := time.Now()
	if err := os.WriteFile(path, code, 0o644); err != nil {
		return 0, 0, err
	}
	for last := begin; ; {
		body, err := s.ask()
		now := time.Now()
		switch {
		case err == nil && strings.Contains(body, answer):
			return now.Sub(begin), gap, nil
		case now.Sub(begin) > watchPatience:
			return 0, 0, errors.Join(fmt.Errorf("no new answer within %s, the last was %s", watchPatience, body), err)
		case err != nil:
			gap += now.Sub(last)
		}
		last = now
		time.Sleep(watchProbe)
	}
}

// ask calls the handler itself on a new connection.
func (s *saver) ask() (string, error) {
	body, err := json.Marshal(map[string]any{
		"action": map[string]string{"name": "ping"}, "input": map[string]string{"text": "x"},
		"session_variables": map[string]string{"x-hasura-role": "admin"}, "request_query": "",
	})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	url := fmt.Sprintf("http://127.0.0.1:%d/actions/ping", s.port)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hasura-Admin-Secret", s.secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}
