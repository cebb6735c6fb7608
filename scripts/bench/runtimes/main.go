//go:build linux

// Command runtimes measures what a function service adds to the framework it is built on: requests a second and CPU time
// a request, for an input that is refused and for a read from the cache, side by side with a bare handler of the same
// framework in the same run.
//
//	go run ./scripts/bench/runtimes [-nself bin/nself] [-seconds 0.2] [-rounds 41] [golang|nestjs|python]...
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	userID  = "a11ce000-0000-4000-8000-000000000001"
	callers = 8
	// least is what is demanded of both ratios.
	least = 0.7
	sdl   = `type Query { cachedUser(id: UUID!): CachedUser }
type CachedUser { id: UUID! email: String! name: String! }
scalar UUID
`
)

// scenario is a request that both answer alike.
type scenario struct{ name, path, body string }

var scenarios = []scenario{
	{
		"validation failure", "/actions/register-user",
		`{"action":{"name":"registerUser"},"input":{"input":{}},"session_variables":{"x-hasura-role":"admin"}}`,
	},
	{
		"cached read", "/actions/cached-user",
		`{"action":{"name":"cachedUser"},"input":{"id":"` + userID + `"},"session_variables":{"x-hasura-role":"admin"}}`,
	},
}

func main() {
	nself := flag.String("nself", "bin/nself", "the nself to use")
	seconds := flag.Float64("seconds", 0.2, "how long each round takes")
	rounds := flag.Int("rounds", 41, "how often both are measured, one right after the other; the median of each pair's ratios counts")
	flag.Parse()
	names := flag.Args()
	if len(names) == 0 {
		names = []string{"golang", "nestjs", "python"}
	}
	path, err := filepath.Abs(*nself)
	if err != nil {
		fail(err)
	}
	fmt.Printf("Function services against bare handlers of their frameworks, at least %.1f of them\n\n", least)
	fmt.Println("| runtime | request | service/s | bare/s | ratio | CPU µs | bare µs | ratio | |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, name := range names {
		b := &bench{runtime: name, nself: path, round: time.Duration(*seconds * float64(time.Second)), rounds: *rounds}
		if err := b.run(context.Background()); err != nil {
			fail(fmt.Errorf("%s: %w", name, err))
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "runtimes:", err)
	os.Exit(1)
}

type bench struct {
	runtime, nself, dir string
	round               time.Duration
	rounds              int
}

func (b *bench) run(ctx context.Context) error {
	root, err := os.MkdirTemp("", "runtimes")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	if err := os.Chmod(root, 0o755); err != nil { // Postgres runs as another user where nself runs as root
		return err
	}
	b.dir = filepath.Join(root, "shop")
	defer func() { _, _ = b.exec(ctx, "down", "--driver", "native", "--volumes") }()
	port, secret, err := b.start(ctx, root)
	if err != nil {
		return err
	}
	bare, barePort, err := b.bare(ctx)
	if err != nil {
		return err
	}
	defer func() {
		_ = bare.Process.Signal(os.Interrupt)
		_ = bare.Wait()
	}()
	for _, s := range scenarios {
		var service, plain results
		for i := range b.rounds { // in turns, so that whatever else the machine does hits both
			first := func() error { return b.measure(ctx, &service, port, secret, s) }
			second := func() error {
				if err := b.measure(ctx, &plain, barePort, secret, s); err != nil {
					return fmt.Errorf("bare: %w", err)
				}
				return nil
			}
			if i%2 == 1 {
				first, second = second, first
			}
			if err := first(); err != nil {
				return err
			}
			if err := second(); err != nil {
				return err
			}
		}
		rate, cpu := medianRatio(service.perSecond, plain.perSecond), medianRatio(plain.cpu, service.cpu)
		verdict := "ok"
		if min(rate, cpu) < least {
			verdict = "missed"
		}
		fmt.Printf("| %s | %s | %.0f | %.0f | %.2f | %.0f | %.0f | %.2f | %s |\n", b.runtime, s.name, median(service.perSecond),
			median(plain.perSecond), rate, median(service.cpu), median(plain.cpu), cpu, verdict)
	}
	return nil
}

func (b *bench) exec(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, b.nself, args...)
	cmd.Dir = b.dir
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("nself %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(string(out)), err
}

// start makes a project with the two actions and runs it.
func (b *bench) start(ctx context.Context, root string) (port, secret string, err error) {
	if out, err := exec.CommandContext(ctx, b.nself, "init", b.dir, "--runtime", b.runtime).CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("nself init: %w\n%s", err, out)
	}
	file := filepath.Join(root, "cached.graphql")
	if err := os.WriteFile(file, []byte(sdl), 0o600); err != nil {
		return "", "", err
	}
	target := map[string]string{
		"golang": "functions/golang/actions/cached_user.go", "python": "functions/python/actions/cached_user.py",
		"nestjs": "functions/nestjs/src/actions/cached-user.controller.ts",
	}[b.runtime]
	source, err := filepath.Glob(filepath.Join("scripts/bench/runtimes/handlers", b.runtime+".*"))
	if err != nil || len(source) != 1 || target == "" {
		return "", "", errors.Join(errors.New("no handler for the runtime: run it in the root of the repository"), err)
	}
	code, err := os.ReadFile(source[0])
	if err != nil {
		return "", "", err
	}
	steps := [][]string{
		{"action", "new", "registerUser", "--runtime", b.runtime},
		{"action", "new", "cachedUser", "--runtime", b.runtime, "--sdl", file},
	}
	for _, args := range steps {
		if _, err := b.exec(ctx, args...); err != nil {
			return "", "", err
		}
	}
	if err := os.WriteFile(filepath.Join(b.dir, target), []byte(strings.ReplaceAll(string(code), "PROJECT", "shop")), 0o600); err != nil {
		return "", "", err
	}
	steps = [][]string{
		{"up", "--driver", "native", "--auto-ports", "--wait-timeout", "5m"},
		{"exec", "postgres", "--", "psql", "-qc", "insert into users (id, email, password_hash, name) values ('" + userID +
			"', 'bench@example.com', '!', 'Bench')"},
	}
	for _, args := range steps {
		if _, err := b.exec(ctx, args...); err != nil {
			return "", "", err
		}
	}
	port, err = b.exec(ctx, "config", "get", strings.ToUpper(b.runtime)+"_PORT")
	if err != nil {
		return "", "", err
	}
	secret, err = b.exec(ctx, "config", "get", "HASURA_GRAPHQL_ADMIN_SECRET", "--reveal")
	return port, secret, err
}

// bare starts the bare handler with the libraries of the project, and puts what it reads into Redis.
func (b *bench) bare(ctx context.Context) (*exec.Cmd, string, error) {
	here, err := filepath.Abs("scripts/bench/runtimes/bare")
	if err != nil {
		return nil, "", err
	}
	redisPort, err := b.exec(ctx, "config", "get", "REDIS_PORT")
	if err != nil {
		return nil, "", err
	}
	password, err := b.exec(ctx, "config", "get", "REDIS_PASSWORD", "--reveal")
	if err != nil {
		return nil, "", err
	}
	set := exec.CommandContext(ctx, "redis-cli", "-p", redisPort, "--no-auth-warning", "-a", password, "set", "bench:user",
		`{"id":"`+userID+`","email":"bench@example.com","name":"Bench"}`)
	if out, err := set.CombinedOutput(); err != nil {
		return nil, "", fmt.Errorf("redis-cli: %w\n%s", err, out)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	var cmd *exec.Cmd
	switch b.runtime {
	case "golang":
		program := filepath.Join(b.dir, "bare")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./scripts/bench/runtimes/bare/golang").CombinedOutput(); err != nil {
			return nil, "", fmt.Errorf("go build: %w\n%s", err, out)
		}
		cmd = exec.CommandContext(ctx, program)
	case "nestjs":
		code, err := os.ReadFile(filepath.Join(here, "nestjs.mjs"))
		if err != nil {
			return nil, "", err
		}
		modules, err := b.find("node_modules")
		if err != nil {
			return nil, "", err
		}
		file := filepath.Join(filepath.Dir(modules), "bare.mjs") // beside the libraries, where it finds them
		if err := os.WriteFile(file, code, 0o600); err != nil {
			return nil, "", err
		}
		cmd = exec.CommandContext(ctx, "node", file)
	default:
		gunicorn, err := b.find("gunicorn")
		if err != nil {
			return nil, "", err
		}
		// As many processes and threads as the service has.
		cmd = exec.CommandContext(ctx, gunicorn, "--chdir", here, "-b", "127.0.0.1:"+port, "-k", "gthread", "-w", "2", "--threads", "8",
			"--keep-alive", "120", "--log-level", "error", "python:app")
	}
	cmd.Env = append(os.Environ(), "PORT="+port, "REDIS_URL=redis://:"+password+"@127.0.0.1:"+redisPort+"/0",
		"NODE_ENV=production", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stderr = os.Stderr
	// A session of its own, as the service has: Linux shares the processors out by sessions first.
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+port)
		if err == nil {
			return cmd, port, conn.Close()
		}
		if time.Now().After(deadline) {
			return nil, "", fmt.Errorf("the bare handler does not listen: %w", err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// find returns the first file of that name under the project.
func (b *bench) find(name string) (string, error) {
	found := ""
	err := filepath.WalkDir(b.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == name {
			found = path
			return filepath.SkipAll
		}
		return nil
	})
	if err == nil && found == "" {
		err = fmt.Errorf("there is no %s under the project", name)
	}
	return found, err
}

// results has a figure for each round.
type results struct {
	perSecond []float64
	cpu       []float64 // µs a request, of all processes of the server
}

// medianRatio compares round with round: the machine is about as busy in both of a pair, but not from one pair to the next.
func medianRatio(a, b []float64) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return median(ratios)
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// measure sends requests for one round.
func (b *bench) measure(ctx context.Context, r *results, port, secret string, s scenario) error {
	if _, err := load(ctx, port, secret, s, b.round/4); err != nil { // warms up
		return err
	}
	before, err := cpuTime(port)
	if err != nil {
		return err
	}
	start := time.Now()
	n, err := load(ctx, port, secret, s, b.round)
	if err != nil {
		return err
	}
	took := time.Since(start)
	after, err := cpuTime(port)
	if err != nil {
		return err
	}
	r.perSecond = append(r.perSecond, float64(n)/took.Seconds())
	r.cpu = append(r.cpu, float64((after-before).Nanoseconds())/1000/float64(n))
	return nil
}

// load calls the server from several callers and returns the number of answers.
func load(ctx context.Context, port, secret string, s scenario, d time.Duration) (int64, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers, DisableCompression: true}}
	defer client.CloseIdleConnections()
	var n atomic.Int64
	var failed error
	var once sync.Once
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for range callers {
		wg.Go(func() {
			for time.Now().Before(end) {
				if err := call(ctx, client, port, secret, s); err != nil {
					once.Do(func() { failed = err })
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return n.Load(), failed
}

func call(ctx context.Context, client *http.Client, port, secret string, s scenario) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:"+port+s.path, strings.NewReader(s.body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hasura-Admin-Secret", secret)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || !strings.Contains(string(data), "message") && !strings.Contains(string(data), "bench@")) {
		err = fmt.Errorf("%s answered %s: %s", s.path, resp.Status, data)
	}
	return err
}

// cpuTime is what the processes that listen on the port, or have it for PORT, have used.
func cpuTime(port string) (time.Duration, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for _, e := range entries {
		pid, err := strconv.ParseInt(e.Name(), 10, 32)
		if err != nil {
			continue
		}
		environ, _ := os.ReadFile("/proc/" + e.Name() + "/environ")
		if !strings.Contains("\x00"+string(environ), "\x00PORT="+port+"\x00") {
			continue
		}
		var used unix.Timespec
		const schedCPU = 2                                                        // what clock_getcpuclockid(3) makes of a process id
		if err := unix.ClockGettime(^int32(pid)<<3|schedCPU, &used); err == nil { // or else it has just ended
			total += time.Duration(used.Nano())
		}
	}
	if total == 0 {
		return 0, fmt.Errorf("no process has PORT=%s", port)
	}
	return total, nil
}
