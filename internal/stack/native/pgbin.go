package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
)

// pgInstall is an installation of Postgres: the folder with its programs and what it says of itself.
type pgInstall struct {
	bin     string
	version string // "15.18"
}

func (i pgInstall) major() string {
	major, _, _ := strings.Cut(i.version, ".")
	return major
}

func (i pgInstall) program(name string) string { return filepath.Join(i.bin, name) }

// envPGBin names the folder with the programs to use.
const envPGBin = "NSELF_PG_BIN"

// versionTimeout bounds `postgres --version`.
const versionTimeout = 5 * time.Second

var versionNumber = regexp.MustCompile(`\d+(\.\d+)*`)

// findPostgres looks for an installation, in binDir only where that is set, else on the PATH and in the usual
// places, newest first. With a major version it takes only that. It returns every version seen, for the message.
func findPostgres(
	ctx context.Context, environ []string, binDir, major string,
) (found pgInstall, seen []string, err error) {
	if dir := binDir; dir != "" {
		i, err := inspect(ctx, dir)
		if err != nil {
			return pgInstall{}, nil, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
				fmt.Errorf("find postgres: %s=%s: %w", envPGBin, dir, err),
				"set "+envPGBin+" to a folder that holds postgres and initdb, or unset it"))
		}
		if major != "" && i.major() != major {
			return pgInstall{}, []string{i.version}, nil
		}
		return i, []string{i.version}, nil
	}
	for _, dir := range pgDirs(environ) {
		i, err := inspect(ctx, dir)
		if err != nil {
			continue
		}
		seen = append(seen, i.version)
		if major == "" || i.major() == major {
			return i, seen, nil
		}
	}
	// An interrupted look has seen nothing, which is no reason to fetch what may be there.
	return pgInstall{}, seen, ctx.Err()
}

// pgDirs lists the folders to look into, best first.
func pgDirs(environ []string) []string {
	var dirs []string
	for _, dir := range filepath.SplitList(lookupEnv(environ, "PATH")) {
		// A link on the PATH leads to the folder with the other programs.
		if real, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres")); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
		"/usr/pgsql-*/bin",          // RPMs of the project
		"/usr/libexec/postgresql*",  // Alpine
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		slices.SortFunc(matches, func(a, b string) int { return number(b) - number(a) })
		dirs = append(dirs, matches...)
	}
	return slices.Compact(dirs)
}

func number(path string) int {
	n, err := strconv.Atoi(strings.SplitN(versionNumber.FindString(path), ".", 2)[0])
	if err != nil {
		return 0
	}
	return n
}

var errNoPrograms = errors.New("no programs postgres and initdb")

func inspect(ctx context.Context, dir string) (pgInstall, error) {
	for _, name := range []string{"postgres", "initdb"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() {
			return pgInstall{}, errNoPrograms
		}
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return pgInstall{}, fmt.Errorf("%s/postgres --version: %w", dir, err)
	}
	version := versionNumber.FindString(string(out))
	if version == "" {
		return pgInstall{}, fmt.Errorf("%s/postgres --version: no version in %q", dir, out)
	}
	return pgInstall{bin: dir, version: version}, nil
}

func lookupEnv(environ []string, key string) string {
	for _, kv := range slices.Backward(environ) {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			return v
		}
	}
	return ""
}
