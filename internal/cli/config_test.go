package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/ui"
)

// configProject is a project on disk with the two files, and the commands under config run in it.
type configProject struct {
	dir     string
	environ []string
	stdin   string
}

const configSecrets = "POSTGRES_PASSWORD=0123456789abcdef0123\nHASURA_GRAPHQL_ADMIN_SECRET=0123456789abcdef0123456789abcdef\n"

func newConfigProject(t *testing.T, base, local string) *configProject {
	t.Helper()
	p := &configProject{dir: filepath.Join(t.TempDir(), "shop"), environ: []string{}}
	for name, text := range map[string]string{"hasura/config.yaml": "version: 3\n", ".env": base, ".env.local": local} {
		path := filepath.Join(p.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// run runs nself config with the arguments, as the program would, with plain output.
func (p *configProject) run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	f := &Factory{
		IO: &ui.Streams{In: strings.NewReader(p.stdin), Out: &out, Err: &errs}, Environ: p.environ, WorkDir: p.dir,
	}
	code = run(t.Context(), f, append([]string{"config"}, args...))
	return out.String(), errs.String(), code
}

func TestConfigShow(t *testing.T) {
	t.Parallel()
	p := newConfigProject(t, "NESTJS_ENABLED=true\nAPI_KEY=hunter2\nCOLOR=blue\n", configSecrets)
	stdout, _, code := p.run(t, "show")
	if tail := "\nother\n  API_KEY  [redacted]  .env:2\n  COLOR    blue        .env:3\n"; !strings.HasSuffix(stdout, tail) {
		t.Errorf("the last block is not %q:\n%s", tail, stdout)
	}
	for _, line := range []string{
		"functions", "NESTJS_ENABLED true .env:1", "POSTGRES_PASSWORD [redacted] .env.local:1", "REDIS_ENABLED true default",
	} {
		if !slices.ContainsFunc(strings.Split(stdout, "\n"), func(got string) bool {
			return strings.Join(strings.Fields(got), " ") == line
		}) {
			t.Errorf("no %q in:\n%s", line, stdout)
		}
	}
	if code != exitOK || strings.Contains(stdout, "hunter2") || strings.Contains(stdout, "0123456789abcdef") || strings.Contains(stdout, "\x1b") {
		t.Errorf("code %d, or a secret or an escape sequence in:\n%s", code, stdout)
	}
	if stdout, _, _ := p.run(t, "show", "--reveal"); !strings.Contains(stdout, "hunter2") {
		t.Errorf("--reveal does not show secrets:\n%s", stdout)
	}
	stdout, _, code = p.run(t, "show", "--json", "--env", "prod")
	var values []shownValue
	if err := json.Unmarshal([]byte(stdout), &values); err != nil || code != exitOK || values[0] != (shownValue{
		Key: "ENV", Value: "prod", Source: "--env", Group: "project",
	}) {
		t.Errorf("code %d, %v: %+v", code, err, values)
	}
}

func TestConfigShowOfBrokenProject(t *testing.T) {
	t.Parallel()
	p := newConfigProject(t, "NESTJS_PORT=x\nCOLOR=blue\n", configSecrets)
	stdout, stderr, code := p.run(t, "show")
	if code != exitInvalid || !strings.Contains(stdout, "COLOR") || !strings.Contains(stderr, `.env:1: NESTJS_PORT: "x" is not a port`) {
		t.Errorf("code %d\n%s\n%s", code, stdout, stderr)
	}
}

func TestConfigGet(t *testing.T) {
	t.Parallel()
	p := newConfigProject(t, "NESTJS_PORT=3101\n", configSecrets)
	tests := []struct {
		args           string
		stdout, stderr string
		code           int
	}{
		{"NESTJS_PORT", "3101\n", "", exitOK},
		{"POSTGRES_PASSWORD", "", "is a secret", exitUsage},
		{"POSTGRES_PASSWORD --reveal", "0123456789abcdef0123\n", "", exitOK},
		{"REDIS_PASSWORD", "\n", "", exitOK},
		{"NESTJS_PROT", "", "did you mean NESTJS_PORT?", exitUsage},
		{"NOTHING", "", "no file sets it", exitUsage},
		{"", "", "takes <key>, got no argument", exitUsage},
		{"NESTJS_PORT --env nowhere", "", "is not an environment", exitUsage},
	}
	for _, tt := range tests {
		stdout, stderr, code := p.run(t, append([]string{"get"}, strings.Fields(tt.args)...)...)
		if stdout != tt.stdout || !strings.Contains(stderr, tt.stderr) || code != tt.code {
			t.Errorf("get %s: code %d, %q, %q", tt.args, code, stdout, stderr)
		}
	}
}

func TestConfigExplain(t *testing.T) {
	t.Parallel()
	p := newConfigProject(t, "NESTJS_PORT=3101\n", configSecrets+"NESTJS_PORT=3102\n")
	p.environ = []string{"NESTJS_PORT=3103"}
	stdout, stderr, code := p.run(t, "explain", "NESTJS_PORT")
	want := `NESTJS_PORT  3103  environment
  not used   3102  .env.local:3
  not used   3101  .env:1
  meaning   Port of the NestJS function service
  allowed   a port, 1 to 65535
  default   3001
`
	if diff := cmp.Diff(want, stdout); diff != "" || code != exitOK {
		t.Errorf("code %d %s (-want +got):\n%s", code, stderr, diff)
	}
	if stdout, _, _ := p.run(t, "explain", "POSTGRES_PASSWORD", "--json"); strings.Contains(stdout, "0123456789") {
		t.Errorf("a secret in:\n%s", stdout)
	}
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	p := newConfigProject(t, "NESTJS_ENABLE=true\nLONELY=1\n", configSecrets)
	_, stderr, code := p.run(t, "validate")
	if code != exitOK || !strings.Contains(stderr, "did you mean NESTJS_ENABLED?") || !strings.Contains(stderr, "LONELY: nothing in functions/") ||
		!strings.Contains(stderr, "ok: the configuration of shop is valid for dev") {
		t.Errorf("code %d\n%s", code, stderr)
	}
	if _, _, code := p.run(t, "validate", "--strict"); code != exitInvalid {
		t.Errorf("--strict: code %d", code)
	}
	p = newConfigProject(t, "NESTJS_PORT=x\n", "A='hunter2\n")
	stdout, stderr, code := p.run(t, "validate", "--json")
	var v validation
	if err := json.Unmarshal([]byte(stdout), &v); err != nil || v.Valid || len(v.Problems) != 2 || code != exitInvalid || stderr != "" {
		t.Fatalf("code %d, %v\n%s\n%s", code, err, stdout, stderr)
	}
	if got := v.Problems[0]; got.File != ".env.local" || got.Line != 1 || got.Key != "A" || got.Text != "unterminated quote" || got.Hint == "" {
		t.Errorf("first problem is %+v", got)
	}
}

func TestConfigSet(t *testing.T) {
	t.Parallel()
	p := newConfigProject(t, "# ours\nNESTJS_PORT=3101 # why\n", configSecrets)
	p.stdin = "pa$W0RD it's\n"
	steps := []struct {
		args, stderr string
		code         int
	}{
		{"API_KEY -", "set API_KEY in .env.local:3\n", exitOK},
		{"API_KEY -", "unchanged: API_KEY in .env.local:3\n", exitOK},
		{"--file .env NESTJS_PORT 3105", "set NESTJS_PORT in .env:2\n", exitOK},
		{"NESTJS_PORT 0", `NESTJS_PORT: "0" is not a port`, exitInvalid},
		{"--file ../x NESTJS_PORT 1", "name .env, .env.local or .env.NAME", exitUsage},
		{"--file .env API_KEY x", "warning: API_KEY: .env.local:3 sets it too, and counts", exitOK},
		{"NESTJS_ENABLE 1", "did you mean NESTJS_ENABLED?", exitOK},
	}
	for _, step := range steps {
		if _, stderr, code := p.run(t, append([]string{"set"}, strings.Fields(step.args)...)...); code != step.code || !strings.Contains(stderr, step.stderr) {
			t.Errorf("set %s: code %d, %q", step.args, code, stderr)
		}
	}
	if stdout, _, _ := p.run(t, "get", "--reveal", "API_KEY"); stdout != "pa$W0RD it's\n" {
		t.Errorf("API_KEY is %q", stdout)
	}
	data, err := os.ReadFile(filepath.Join(p.dir, ".env"))
	if want := "# ours\nNESTJS_PORT=3105 # why\nAPI_KEY=x\n"; err != nil || string(data) != want {
		t.Errorf(".env is %q, want %q (%v)", data, want, err)
	}
}
