package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// minPostgres is the oldest major version that is still maintained.
const minPostgres = "14"

func checkPostgres(ctx context.Context, x *examiner) []Finding {
	install := x.install.command(packages{
		"brew": "postgresql@17", "apt-get": "postgresql", "dnf": "postgresql-server", "apk": "postgresql", "pacman": "postgresql",
	}, open("https://www.postgresql.org/download/"))
	if x.Config != nil && x.Config.Postgres.BinDir != "" {
		dir := x.Config.Postgres.BinDir
		if !hasPrograms(dir) {
			return one("postgres", x.missing(), fmt.Sprintf("NSELF_PG_BIN=%s holds no programs postgres and initdb", dir),
				"nself config set NSELF_PG_BIN ''")
		}
		return x.postgresIn(ctx, dir, install)
	}
	for _, dir := range x.postgresDirs() {
		if hasPrograms(dir) {
			return x.postgresIn(ctx, dir, install)
		}
	}
	if x.Driver == DriverDocker {
		return one("postgres", OK, "not installed here; it runs in a container", "")
	}
	return one("postgres", Warn, "no programs postgres and initdb found: nself up will download them", install)
}

func (x *examiner) postgresIn(ctx context.Context, dir, install string) []Finding {
	out, err := x.output(ctx, filepath.Join(dir, "postgres"), "--version")
	if err != nil {
		return broken("postgres", filepath.Join(dir, "postgres"), err, install)
	}
	if have := version(out); older(have, minPostgres) {
		return one("postgres", Warn, fmt.Sprintf("postgres %s in %s is no longer maintained", have, dir), install)
	}
	return one("postgres", OK, fmt.Sprintf("postgres %s in %s", version(out), dir), "")
}

// postgresDirs are the places where the native driver looks, newest version first.
func (x *examiner) postgresDirs() []string {
	var dirs []string
	if path, err := x.lookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*", "/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin", "/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		slices.SortFunc(found, func(a, b string) int {
			if older(version(b), version(a)) {
				return -1
			}
			return 1
		})
		dirs = append(dirs, found...)
	}
	return dirs
}

func hasPrograms(dir string) bool {
	for _, name := range []string{"postgres", "initdb"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

func checkRedis(ctx context.Context, x *examiner) []Finding {
	if x.Config != nil && !x.Config.Redis.Enabled {
		return nil
	}
	install := x.install.command(packages{
		"brew": "redis", "apt-get": "redis-server", "dnf": "redis", "apk": "redis", "pacman": "redis",
	}, open("https://redis.io/downloads/"))
	path, err := x.lookPath("redis-server")
	switch {
	case err != nil && x.Driver == DriverDocker:
		return one("redis", OK, "not installed here; it runs in a container", "")
	case err != nil:
		return one("redis", Warn, "redis-server is not on the PATH: a stand-in runs, which forgets its data at a stop", install)
	}
	out, err := x.output(ctx, path, "--version")
	if err != nil {
		return broken("redis", path, err, install)
	}
	return one("redis", OK, fmt.Sprintf("redis-server %s at %s", version(out), path), "")
}

func (x *examiner) has(program string) bool {
	_, err := x.lookPath(program)
	return err == nil
}

func atLeastWarn(l Level) Level {
	if l == OK {
		return Warn
	}
	return l
}
