package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/nself-org/nself/internal/metadata"
)

const localFile = ".env.local"

// checkFiles looks for what a project consists of.
func checkFiles(_ context.Context, x *examiner) []Finding {
	in := "cd " + quote(x.Dir) + " && "
	type file struct{ path, fix string }
	files := []file{
		{"hasura/config.yaml", in + "nself init ."},
		{metadata.Folder + "/version.yaml", in + "nself build"},
		{metadata.SDLFile, in + "nself build"},
		{metadata.YAMLFile, in + "nself build"},
		{"docker-compose.yml", in + "nself build"},
	}
	if x.Config != nil {
		for _, r := range x.Config.Runtimes() {
			if r.Enabled {
				files = append(files, file{"functions/" + r.Name, in + "nself build"})
			}
		}
	}
	var found []Finding
	for _, f := range files {
		switch _, err := os.Stat(filepath.Join(x.Dir, filepath.FromSlash(f.path))); {
		case errors.Is(err, fs.ErrNotExist):
			found = append(found, Finding{Check: "project", Level: Fail, Detail: f.path + " is missing", Fix: f.fix})
		case err != nil:
			found = append(found, Finding{
				Check: "project", Level: Fail, Detail: fmt.Sprintf("%s: %v", f.path, err), Fix: "ls -ld " + quote(filepath.Join(x.Dir, f.path)),
			})
		}
	}
	if len(found) == 0 {
		return one("project", OK, x.Dir+" has all its files", "")
	}
	return found
}

// checkSecrets looks at the file with the secrets: it is for its owner alone.
func checkSecrets(_ context.Context, x *examiner) []Finding {
	path := filepath.Join(x.Dir, localFile)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return one("secrets", Warn, localFile+" is missing: it holds the secrets of this machine", "cd "+quote(x.Dir)+" && nself init .")
	case err != nil:
		return one("secrets", Warn, fmt.Sprintf("%s: %v", localFile, err), "ls -l "+quote(path))
	case info.IsDir():
		return one("secrets", Fail, localFile+" is a folder", "mv "+quote(path)+" "+quote(path+".old"))
	}
	if info, err = os.Stat(path); err != nil {
		return one("secrets", Fail, fmt.Sprintf("%s: %v", localFile, err), "ls -l "+quote(path))
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return one("secrets", Warn, fmt.Sprintf("%s can be read by others: its mode is %#o", localFile, mode), "chmod 600 "+quote(path))
	}
	return one("secrets", OK, localFile+" is for its owner alone", "")
}

// checkGit makes sure that git does not carry the secrets away.
func checkGit(ctx context.Context, x *examiner) []Finding {
	git, err := x.lookPath("git")
	if err != nil {
		return nil
	}
	run := func(args ...string) int {
		cmd := exec.CommandContext(ctx, git, append([]string{"-C", x.Dir}, args...)...)
		cmd.Env, cmd.WaitDelay = x.Environ, x.outputDelay()
		if err := cmd.Run(); err != nil {
			if failed, ok := errors.AsType[*exec.ExitError](err); ok {
				return failed.ExitCode()
			}
			return -1
		}
		return 0
	}
	in := "git -C " + quote(x.Dir) + " "
	if run("ls-files", "--error-unmatch", "--", localFile) == 0 {
		return one("git", Fail, localFile+" is in the repository, and its secrets with it",
			in+"rm --cached "+localFile+" && echo "+localFile+" >> "+quote(filepath.Join(x.Dir, ".gitignore")))
	}
	switch run("check-ignore", "-q", "--", localFile) {
	case 0:
		return one("git", OK, localFile+" is ignored", "")
	case 1:
		return one("git", Warn, localFile+" is not ignored: its secrets could be committed",
			"echo "+localFile+" >> "+quote(filepath.Join(x.Dir, ".gitignore")))
	}
	return nil // not a repository
}

// checkConfig passes on what reading the configuration found.
func checkConfig(_ context.Context, x *examiner) []Finding {
	var found []Finding
	for _, p := range x.Report.Problems {
		found = append(found, Finding{Check: "config", Level: Fail, Detail: p.Error(), Fix: advice(p.Hint, p.Pos.String(), "nself config validate")})
	}
	for _, w := range x.Report.Warnings {
		found = append(found, Finding{Check: "config", Level: Warn, Detail: w.String(), Fix: advice(w.Hint, w.Pos.String(), "nself config validate")})
	}
	if len(found) == 0 {
		from := "the defaults"
		if len(x.Report.Files) > 0 {
			from = strings.Join(x.Report.Files, ", ")
		}
		return one("config", OK, "nothing wrong in "+from, "")
	}
	return found
}

// checkMetadata validates what the project declares.
func checkMetadata(_ context.Context, x *examiner) []Finding {
	md, err := metadata.LoadDir(x.Dir)
	if md == nil {
		return one("metadata", Fail, err.Error(), "ls -l "+quote(filepath.Join(x.Dir, filepath.FromSlash(metadata.Folder))))
	}
	var found []Finding
	for _, p := range metadata.Validate(md, nil) {
		level := Fail
		if p.Severity == metadata.SeverityWarning {
			level = Warn
		}
		found = append(found, Finding{Check: "metadata", Level: level, Detail: p.Error(), Fix: advice(p.Hint, p.Pos.String(), "nself action check")})
	}
	if len(found) == 0 {
		return one("metadata", OK, fmt.Sprintf("%d actions declared, no problems", len(md.Actions)), "")
	}
	return found
}

// advice is the hint, or the place to correct, or the command that shows more.
func advice(hint, place, otherwise string) string {
	switch {
	case hint != "":
		return hint
	case place != "":
		return "correct " + place
	}
	return otherwise
}
