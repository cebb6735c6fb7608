// Package testenv gives tests a real Postgres and a real Redis: those of DATABASE_URL and REDIS_URL, or servers of their
// own where the programs are installed. Where there is neither, a test is skipped; with CI set it fails.
//
// A package that uses it has
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// startTimeout bounds the start of a server of our own.
const startTimeout = 30 * time.Second

// servers are started when a test first asks, and live until [Main] ends.
var servers struct {
	postgres, redis lazy
}

type lazy struct {
	once sync.Once
	url  string
	err  error
	stop func()
}

// errMissing says that a program is not installed.
var errMissing = errors.New("not installed")

// Main runs the tests of a package and stops the servers that they started. It returns the exit status.
func Main(m *testing.M) int {
	defer func() {
		for _, s := range []*lazy{&servers.postgres, &servers.redis} {
			if s.stop != nil {
				s.stop()
			}
		}
	}()
	return m.Run()
}

func (l *lazy) get(t testing.TB, name, variable string, start func() (url string, stop func(), err error)) string {
	t.Helper()
	l.once.Do(func() {
		if l.url = os.Getenv(variable); l.url == "" {
			l.url, l.stop, l.err = start()
		}
	})
	switch {
	case l.err == nil:
		return l.url
	case errors.Is(l.err, errMissing) && os.Getenv("CI") == "":
		t.Skipf("%s: %v; install it or set %s", name, l.err, variable)
	default:
		t.Fatalf("%s: %v", name, l.err)
	}
	return ""
}

// patient are the time limits of clients of Redis in tests. On a machine that is busy an answer may take longer than a call
// waits for it; the cache would then hold nothing, and no call would be limited.
const patient = "dial_timeout=1m&read_timeout=1m&write_timeout=1m&pool_timeout=1m"

// Redis returns the URL of a Redis and a prefix for keys that no other test uses.
func Redis(t testing.TB) (url, prefix string) {
	t.Helper()
	url = servers.redis.get(t, "redis-server", "REDIS_URL", startRedis)
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	return url + separator + patient, "test:" + rand.Text() + ":"
}

func startRedis() (string, func(), error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, errMissing
	}
	dir, err := tempDir()
	if err != nil {
		return "", nil, err
	}
	socket := filepath.Join(dir, "redis.sock")
	stop, err := daemon(dir, program, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir)
	if err != nil {
		return "", nil, err
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	defer client.Close()
	if err := await(dir, func(ctx context.Context) error { return client.Ping(ctx).Err() }); err != nil {
		stop()
		return "", nil, err
	}
	return "unix://" + socket, stop, nil
}

func startPostgres() (string, func(), error) {
	bin, err := postgresBin()
	if err != nil {
		return "", nil, err
	}
	dir, err := tempDir()
	if err != nil {
		return "", nil, err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(context.Background(), filepath.Join(bin, "initdb"),
		"-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	initdb.Dir = dir
	if err := dropRoot(initdb); err != nil {
		return "", nil, err
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	const port = "5432" // names the socket; nothing listens on TCP
	stop, err := daemon(dir, filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-p", port,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off",
		"-c", "max_connections=200")
	if err != nil {
		return "", nil, err
	}
	url := "postgres://postgres@/postgres?host=" + dir + "&port=" + port
	err = await(dir, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
	if err != nil {
		stop()
		return "", nil, err
	}
	return url, stop, nil
}

// postgresBin finds the folder with initdb and postgres: on PATH, or where systems keep it.
func postgresBin() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			return filepath.Dir(p), nil
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
	} {
		found, err := filepath.Glob(pattern)
		if err == nil && len(found) > 0 {
			slices.Sort(found)
			return found[len(found)-1], nil
		}
	}
	return "", errMissing
}

// tempDir makes a folder for a server. Its path is short, because that of a socket may have some hundred characters only.
func tempDir() (string, error) {
	parent := ""
	if runtime.GOOS != "windows" {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "test")
	if err != nil {
		return "", err
	}
	uid, gid, err := serverUser()
	if err == nil && uid >= 0 {
		err = os.Chown(dir, uid, gid)
	}
	return dir, err
}

// serverUser is whom servers run as when the tests run as root, which Postgres refuses. uid is -1 for nobody else.
func serverUser() (uid, gid int, err error) {
	if os.Geteuid() != 0 {
		return -1, -1, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		return uid, gid, errors.Join(errUID, errGID)
	}
	return 0, 0, errors.New("the tests run as root, and there is no user postgres or nobody to run the server")
}

// guard runs a program until its own standard input ends, then stops it and removes the folder. The input is a pipe that
// ends with this process however it dies, so a test that is killed leaves nothing behind.
const guard = `dir=$1; shift
"$@" </dev/null >"$dir/log" 2>&1 &
pid=$!
cat >/dev/null
kill -INT $pid
wait $pid
rm -rf "$dir"`

func daemon(dir, program string, args ...string) (stop func(), err error) {
	cmd := exec.CommandContext(context.Background(), "/bin/sh", append([]string{"-c", guard, "sh", dir, program}, args...)...)
	cmd.Dir = "/"
	if err := dropRoot(cmd); err != nil {
		return nil, err
	}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = pipe.Close()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}, nil
}

// await calls probe until it succeeds; dir is where the server's log is.
func await(dir string, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			return fmt.Errorf("no answer within %s: %w\n%s", startTimeout, err, log)
		}
	}
}
