package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ports"
	"github.com/nself-org/nself/internal/stack"
)

// envPGRepository replaces the Maven repository that the programs are fetched from.
const envPGRepository = "NSELF_PG_REPOSITORY_URL"

// pgReleases are the releases that can be fetched, by major version.
func pgReleases() map[string]embeddedpostgres.PostgresVersion {
	return map[string]embeddedpostgres.PostgresVersion{
		"13": embeddedpostgres.V13, "14": embeddedpostgres.V14, "15": embeddedpostgres.V15,
		"16": embeddedpostgres.V16, "17": embeddedpostgres.V17, "18": embeddedpostgres.V18,
	}
}

// defaultMajor is the version that is fetched when nothing asks for another.
const defaultMajor = "16"

// fetchPostgres downloads the programs once per user and returns their installation. The library behind it can only
// fetch as the first part of a start, and cannot start as root; so the start is given a data folder that cannot exist,
// which ends it after the programs are in place, for every user alike.
func fetchPostgres(
	ctx context.Context, repository, major string, acc *account, report func(stack.Event),
) (pgInstall, error) {
	version, ok := pgReleases()[major]
	if !ok {
		return pgInstall{}, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("find postgres: version %s is not installed and cannot be fetched", major),
			"install it, or set "+envPGBin+" to the folder with its programs"))
	}
	cache, err := pgCache(acc)
	if err != nil {
		return pgInstall{}, err
	}
	dir := filepath.Join(cache, string(version))
	install := pgInstall{bin: filepath.Join(dir, "bin"), version: strings.TrimSuffix(string(version), ".0")}
	complete := filepath.Join(dir, ".complete")
	if _, err := os.Stat(complete); err == nil {
		return install, nil
	}
	report(stack.Event{
		Kind: stack.EventBuilding, Detail: "downloading PostgreSQL " + install.version + ", once for this user",
	})
	work, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return pgInstall{}, fmt.Errorf("fetch postgres: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	if acc != nil {
		if err := os.Chmod(work, 0o755); err != nil { //nolint:gosec // programs, for another account to run
			return pgInstall{}, fmt.Errorf("fetch postgres: %w", err)
		}
	}
	if err := download(ctx, repository, version, cache, work); err != nil {
		return pgInstall{}, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("fetch postgres %s: %w", version, err),
			"install PostgreSQL, or set "+envPGBin+" to its programs or "+envPGRepository+" to a Maven mirror"))
	}
	if err := os.WriteFile(filepath.Join(work, ".complete"), nil, 0o600); err != nil {
		return pgInstall{}, fmt.Errorf("fetch postgres: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return pgInstall{}, fmt.Errorf("fetch postgres: %w", err)
	}
	if err := os.Rename(work, dir); err != nil {
		if _, there := os.Stat(complete); there == nil {
			return install, nil // another project was faster
		}
		return pgInstall{}, fmt.Errorf("fetch postgres: %w", err)
	}
	return install, nil
}

func download(
	ctx context.Context, repository string, version embeddedpostgres.PostgresVersion, cache, work string,
) error {
	port, err := ports.Free(ctx, 49151, nil)
	if err != nil {
		return err
	}
	cfg := embeddedpostgres.DefaultConfig().Version(version).CachePath(cache).BinariesPath(work).
		RuntimePath(filepath.Join(work, "run")).Port(uint32(port)).Logger(io.Discard). //nolint:gosec // a port fits
		DataPath(filepath.Join(work, "bin", "initdb", "none"))
	if repository != "" {
		cfg = cfg.BinaryRepositoryURL(strings.TrimSuffix(repository, "/"))
	}
	result := make(chan error, 1)
	go func() { result <- embeddedpostgres.NewDatabase(cfg).Start() }()
	select {
	case err = <-result:
	case <-ctx.Done():
		return ctx.Err() // the library cannot be interrupted; what it still writes is not used
	}
	if _, missing := os.Stat(filepath.Join(work, "bin", "initdb")); missing != nil {
		if err == nil {
			err = missing
		}
		return err
	}
	if err == nil {
		return errors.New("it started a server that nobody asked for")
	}
	return nil
}

// pgCache is the folder for fetched programs: the user's cache, or a common one when another account must read it.
func pgCache(acc *account) (string, error) {
	dir := "/var/cache/nself/postgres"
	if acc == nil {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("fetch postgres: %w", err)
		}
		dir = filepath.Join(base, "nself", "postgres")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("fetch postgres: %w", err)
	}
	return dir, nil
}
