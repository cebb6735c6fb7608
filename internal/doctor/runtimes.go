package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/nself-org/nself/internal/env"
)

// The oldest versions that the function templates work with. A project's own files may ask for newer ones.
const (
	minGo     = "1.24"
	minNode   = "20"
	minPython = "3.10"
)

func checkGo(ctx context.Context, x *examiner) []Finding {
	if !x.uses(func(c *env.Config) env.Runtime { return c.Golang }) {
		return nil
	}
	want := minGo
	if data, err := os.ReadFile(filepath.Join(x.Dir, "functions", "golang", "go.mod")); x.Dir != "" && err == nil {
		if mod, err := modfile.ParseLax("go.mod", data, nil); err == nil && mod.Go != nil && older(want, mod.Go.Version) {
			want = mod.Go.Version
		}
	}
	install := x.install.command(packages{"brew": "go", "apk": "go", "pacman": "go", "dnf": "golang"}, goArchive(x.install, want))
	path, err := x.lookPath("go")
	if err != nil {
		return one("go", x.missing(), "go is not on the PATH; functions/golang cannot be built", install)
	}
	out, err := x.output(ctx, path, "version")
	if err != nil {
		return broken("go", path, err, install)
	}
	have := version(out)
	if older(have, want) {
		if x.env["GOTOOLCHAIN"] == "local" {
			return one("go", x.missing(), fmt.Sprintf("go %s at %s; functions/golang needs %s", have, path, want), install)
		}
		return one("go", Warn, fmt.Sprintf("go %s at %s; functions/golang needs %s, which go will download", have, path, want), install)
	}
	return one("go", OK, fmt.Sprintf("go %s at %s", have, path), "")
}

// goArchive unpacks the toolchain's own archive: Debian's packages are too old for it.
func goArchive(in installer, want string) string {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return open("https://go.dev/dl/")
	}
	full := want
	if numbers := regexp.MustCompile(`\.`).FindAllString(want, -1); len(numbers) < 2 {
		full += ".0"
	}
	return fmt.Sprintf("curl -fsSL https://go.dev/dl/go%s.%s-%s.tar.gz | %star -C /usr/local -xz && export PATH=$PATH:/usr/local/go/bin",
		full, runtime.GOOS, runtime.GOARCH, in.sudo)
}

func checkNode(ctx context.Context, x *examiner) []Finding {
	if !x.uses(func(c *env.Config) env.Runtime { return c.NestJS }) {
		return nil
	}
	want := x.wantedNode()
	install := x.install.command(packages{
		"brew": "node", "apt-get": "nodejs npm", "dnf": "nodejs npm", "apk": "nodejs npm", "pacman": "nodejs npm",
	}, open("https://nodejs.org/en/download"))
	path, err := x.lookPath("node")
	if err != nil {
		return one("node", x.missing(), "node is not on the PATH; functions/nestjs cannot run", install)
	}
	out, err := x.output(ctx, path, "--version")
	if err != nil {
		return broken("node", path, err, install)
	}
	if have := version(out); older(have, want) {
		update := x.install.sudo + "npm install -g n && " + x.install.sudo + "n lts"
		if x.install.manager == "brew" {
			update = "brew upgrade node"
		}
		return one("node", x.missing(), fmt.Sprintf("node %s at %s; functions/nestjs needs %s or newer", have, path, want), update)
	}
	if _, err := x.lookPath("npm"); err != nil {
		return one("node", x.missing(), "npm is not on the PATH; what functions/nestjs depends on cannot be installed", install)
	}
	return one("node", OK, fmt.Sprintf("node %s at %s, with npm", version(out), path), "")
}

// wantedNode reads the lower bound of engines.node: "20" in ">=20".
func (x *examiner) wantedNode() string {
	var pkg struct {
		Engines struct{ Node string }
	}
	data, err := os.ReadFile(filepath.Join(x.Dir, "functions", "nestjs", "package.json"))
	if x.Dir == "" || err != nil || json.Unmarshal(data, &pkg) != nil {
		return minNode
	}
	if want := version(pkg.Engines.Node); want != "" && older(minNode, want) {
		return want
	}
	return minNode
}

// pythonProbe prints the version, and "no venv" where the modules that make a virtual environment are missing, which
// Debian keeps in a package of their own. It looks for the modules and does not load them, which would take long.
const pythonProbe = `import sys, importlib.util as u
print("%d.%d.%d" % sys.version_info[:3], "" if u.find_spec("venv") and u.find_spec("ensurepip") else "no venv")`

var requiresPython = regexp.MustCompile(`(?m)^requires-python\s*=\s*["']\s*>=\s*(\d+(?:\.\d+)*)`)

func checkPython(ctx context.Context, x *examiner) []Finding {
	if !x.uses(func(c *env.Config) env.Runtime { return c.Python }) {
		return nil
	}
	want := minPython
	if data, err := os.ReadFile(filepath.Join(x.Dir, "functions", "python", "pyproject.toml")); x.Dir != "" && err == nil {
		if m := requiresPython.FindSubmatch(data); m != nil && older(want, string(m[1])) {
			want = string(m[1])
		}
	}
	install := x.install.command(packages{
		"brew": "python", "apt-get": "python3 python3-venv", "dnf": "python3", "apk": "python3 py3-pip", "pacman": "python",
	}, open("https://www.python.org/downloads/"))
	path, err := x.lookPath("python3")
	if err != nil {
		return one("python", x.missing(), "python3 is not on the PATH; functions/python cannot run", install)
	}
	out, err := x.output(ctx, path, "-c", pythonProbe)
	have := version(out)
	switch {
	case err != nil:
		return broken("python", path, err, install)
	case older(have, want):
		return one("python", x.missing(), fmt.Sprintf("python %s at %s; functions/python needs %s or newer", have, path, want), install)
	case strings.Contains(out, "no venv"):
		return one("python", x.missing(), path+" cannot make virtual environments: the modules venv and ensurepip are missing", install)
	}
	return one("python", OK, fmt.Sprintf("python %s at %s", have, path), "")
}
