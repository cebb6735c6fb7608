package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/doctor"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/ports"
)

// ignoredLines keep secrets out of git, and what nself wrote in it.
var ignoredLines = []string{".env.local", ".nself/*", "!.nself/manifest.json", "!.nself/base/"}

// portSettings are the keys that decide where a project listens, with the port that each gives.
func portSettings(cfg *env.Config) map[string]int {
	settings := map[string]int{
		"HASURA_PORT": cfg.Hasura.Port, "POSTGRES_PORT": cfg.Postgres.Port, "REDIS_PORT": cfg.Redis.Port,
		"MAILPIT_SMTP_PORT": cfg.Mail.SMTPPort, "MAILPIT_UI_PORT": cfg.Mail.UIPort,
	}
	for _, rt := range cfg.Runtimes() {
		if rt.Enabled {
			settings[strings.ToUpper(rt.Name)+"_PORT"] = rt.Port
		}
	}
	return settings
}

// fixProject mends what is wrong within the project and says what it did. Programs of the machine are left to its owner.
func fixProject(ctx context.Context, in doctor.Input, findings []doctor.Finding) (done []string, err error) {
	has := func(check string) bool {
		return slices.ContainsFunc(findings, func(f doctor.Finding) bool { return f.Check == check && f.Level != doctor.OK })
	}
	if has("secrets") {
		path := filepath.Join(in.Dir, ".env.local")
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(path, 0o600); err != nil {
				return done, err
			}
			done = append(done, ".env.local is for its owner alone (mode 0600)")
		}
	}
	added, err := ignore(in.Dir)
	if err != nil {
		return done, err
	}
	if len(added) > 0 {
		done = append(done, ".gitignore: "+strings.Join(added, ", "))
	}
	if in.Config == nil {
		return done, nil
	}
	moved, err := movePorts(ctx, in, findings)
	done = append(done, moved...)
	if err != nil || len(moved) == 0 && !has("project") {
		return done, err
	}
	result, err := build.Run(ctx, build.Options{Dir: in.Dir, Env: env.Options{Environ: in.Environ}})
	if err != nil {
		return done, err
	}
	written := 0
	for _, c := range result.Plan.Changes {
		if c.Action == build.Create || c.Action == build.Update {
			written++
		}
	}
	if written > 0 {
		done = append(done, fmt.Sprintf("nself build: %d files written", written))
	}
	return done, nil
}

// ignore adds to .gitignore the lines that it lacks.
func ignore(dir string) (added []string, err error) {
	path := filepath.Join(dir, ".gitignore")
	have, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	lines := map[string]bool{}
	for line := range bytes.Lines(have) {
		lines[string(bytes.TrimSpace(line))] = true
	}
	text := bytes.NewBuffer(have)
	if len(have) > 0 && !bytes.HasSuffix(have, []byte("\n")) {
		text.WriteByte('\n')
	}
	for _, line := range ignoredLines {
		if lines[line] || line == ".nself/*" && (lines[".nself/"] || lines[".nself"]) {
			continue
		}
		added = append(added, line)
		text.WriteString(line + "\n")
	}
	if len(added) == 0 {
		return nil, nil
	}
	return added, os.WriteFile(path, text.Bytes(), 0o644)
}

// movePorts gives the project free ports in place of those that other programs hold.
func movePorts(ctx context.Context, in doctor.Input, findings []doctor.Finding) (done []string, err error) {
	settings := portSettings(in.Config)
	taken := map[int]bool{}
	for _, port := range settings {
		taken[port] = true
	}
	for _, key := range sortedKeys(settings) {
		port := settings[key]
		if !slices.ContainsFunc(findings, func(f doctor.Finding) bool {
			return f.Check == "port "+strconv.Itoa(port) && f.Level == doctor.Fail
		}) {
			continue
		}
		free, err := ports.Free(ctx, port+1, taken)
		if err != nil {
			return done, err
		}
		taken[free] = true
		if _, err := env.Set(in.Dir, key, strconv.Itoa(free), env.SetOptions{Environ: in.Environ}); err != nil {
			return done, err
		}
		done = append(done, fmt.Sprintf("%s=%d in .env.local, since another program holds %d", key, free, port))
	}
	return done, nil
}
