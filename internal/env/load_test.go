package env_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
)

func TestPrecedence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		files            []string
		environ          []string
		key, want, place string
	}{
		{"default", nil, nil, "NESTJS_PORT", "3001", "default"},
		{"base", []string{".env", "\nNESTJS_PORT=1"}, nil, "NESTJS_PORT", "1", ".env:2"},
		{
			"environment's file over base",
			[]string{".env", "NESTJS_PORT=1", ".env.dev", "NESTJS_PORT=2"},
			nil,
			"NESTJS_PORT", "2", ".env.dev:1",
		},
		{
			"local over environment's file",
			[]string{".env.dev", "NESTJS_PORT=2", ".env.local", "NESTJS_PORT=3"},
			nil,
			"NESTJS_PORT", "3", ".env.local:3",
		},
		{
			"process over local",
			[]string{".env.local", "NESTJS_PORT=3"},
			[]string{"NESTJS_PORT=4"},
			"NESTJS_PORT", "4", "environment",
		},
		{"process overrides a name that a file sets", []string{".env", "API=1"}, []string{"API=2"}, "API", "2", "environment"},
		{
			"empty means default",
			[]string{".env", "NESTJS_PORT=1", ".env.local", "NESTJS_PORT="},
			nil,
			"NESTJS_PORT", "3001", "default",
		},
		{"other environments are not read", []string{".env.prod", "NESTJS_PORT=1"}, nil, "NESTJS_PORT", "3001", "default"},
		{"ENV from base", []string{".env", "ENV=stage", ".env.staging", "NESTJS_PORT=7"}, nil, "NESTJS_PORT", "7", ".env.staging:1"},
		{
			"ENV from local wins",
			[]string{".env", "ENV=prod", ".env.local", "ENV=development", ".env.dev", "X=7"},
			nil,
			"X", "7", ".env.dev:1",
		},
		{
			"ENV from process wins",
			[]string{".env.local", "ENV=dev", ".env.prod", "X=7"},
			[]string{"ENV=production"},
			"X", "7", ".env.prod:1",
		},
		{"last duplicate", []string{".env", "X=1\nX=2"}, nil, "X", "2", ".env:2"},
		{"line after a value of several lines", []string{".env", "A=\"one\ntwo\n\"\n\nX=2"}, nil, "X", "2", ".env:5"},
		{"value of several lines", []string{".env", "A=\"one\ntwo\""}, nil, "A", "one\ntwo", ".env:1"},
		{"byte order mark", []string{".env", "\ufeffX=2"}, nil, "X", "2", ".env:1"},
		{"windows line ends", []string{".env", "A=1\r\n# c\r\nX=2\r\n"}, nil, "X", "2", ".env:3"},
		{"export", []string{".env", "export X=2"}, nil, "X", "2", ".env:1"},
		{"yaml style", []string{".env", "X: 2"}, nil, "X", "2", ".env:1"},
		{"comment behind", []string{".env", "X=2 # a # b"}, nil, "X", "2", ".env:1"},
		{"comment behind nothing", []string{".env", "X= # a"}, nil, "X", "", ".env:1"},
		{"hash in a value", []string{".env", "X=#fff"}, nil, "X", "#fff", ".env:1"},
		{"commands do not run", []string{".env", "X=$(id)"}, nil, "X", "$(id)", ".env:1"},
		{"reference above", []string{".env", "A=1\nX=${A}2$A"}, nil, "X", "121", ".env:2"},
		{"reference keeps the other's text", []string{".env", "B='q\"$5'", ".env.dev", "X=<$B>"}, nil, "X", "<q\"$5>", ".env.dev:1"},
		{"single quotes are literal", []string{".env", `X='${A} $5 \n'`}, nil, "X", `${A} $5 \n`, ".env:1"},
		{"database from the project", []string{".env", "PROJECT_NAME=my-shop"}, nil, "POSTGRES_DB", "my_shop", "default"},
		{"redis with a runtime", []string{".env", "PYTHON_ENABLED=On"}, nil, "REDIS_ENABLED", "true", "default"},
		{"redis without a runtime", nil, nil, "REDIS_ENABLED", "false", "default"},
		{"mail in dev", nil, nil, "MAILPIT_ENABLED", "true", "default"},
		{"no mail in prod", nil, []string{"ENV=prod"}, "MAILPIT_ENABLED", "false", "default"},
		{"no console in prod", nil, []string{"ENV=prod"}, "HASURA_GRAPHQL_ENABLE_CONSOLE", "false", "default"},
		{"image version", []string{".env", "REDIS_VERSION=8"}, nil, "REDIS_IMAGE", "redis:8", "default"},
		{
			"image registry",
			[]string{".env", "IMAGE_REGISTRY=r.example.com/m/\nHASURA_VERSION=v2.1"},
			nil,
			"HASURA_IMAGE", "r.example.com/m/hasura/graphql-engine:v2.1", "default",
		},
		{
			"image as written",
			[]string{".env", "IMAGE_REGISTRY=r.example.com\nHASURA_IMAGE=x/y:z"},
			nil,
			"HASURA_IMAGE", "x/y:z", ".env:2",
		},
		{"sender", []string{".env", "BASE_DOMAIN=example.com"}, nil, "EMAIL_FROM", "noreply@example.com", "default"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := project(t)
			local := secrets
			var localSb76 strings.Builder
			for i := 0; i+1 < len(tt.files); i += 2 {
				if tt.files[i] == ".env.local" {
					localSb76.WriteString(tt.files[i+1])
					continue
				}
				write(t, filepath.Join(dir, tt.files[i]), tt.files[i+1])
			}
			local += localSb76.String()
			write(t, filepath.Join(dir, ".env.local"), local)
			v, ok := load(t, dir, tt.environ...).Get(tt.key)
			if !ok || v.Text != tt.want {
				t.Errorf("%s = %q, want %q", tt.key, v.Text, tt.want)
			}
			if v.Source.String() != tt.place {
				t.Errorf("%s comes from %s, want %s", tt.key, v.Source, tt.place)
			}
		})
	}
}

func TestBooleanWords(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]bool{
		"1": true, "YES": true, "y": true, "On": true, "enabled": true, "TRUE": true,
		"0": false, "no": false, "N": false, "off": false, "Disabled": false, "False": false,
	} {
		if got := load(t, project(t, ".env.local", secrets), "GOLANG_ENABLED="+word).Golang.Enabled; got != want {
			t.Errorf("%s is %v, want %v", word, got, want)
		}
	}
}

func TestProjectNameComesFromTheFolder(t *testing.T) {
	t.Parallel()
	for folder, want := range map[string]string{
		"shop": "shop", "My Shop (2)": "my-shop-2", "__x__": "myproject", "Ünïcode": "n-code",
		strings.Repeat("a", 29) + "-b-c": strings.Repeat("a", 29),
	} {
		dir := filepath.Join(t.TempDir(), folder)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, ".env.local"), secrets)
		if got := load(t, dir).ProjectName; got != want {
			t.Errorf("folder %q gives %q, want %q", folder, got, want)
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		make func(path string) error
		want string
	}{
		"folder":  {func(path string) error { return os.Mkdir(path, 0o700) }, ".env: is a folder, not a file"},
		"utf-16":  {text("\xff\xfeX\x00"), ".env: is UTF-16 text, not UTF-8"},
		"latin-1": {text("A=1\nB=\xe9t\xe9"), ".env: is not UTF-8 text (line 2)"},
		"zero":    {text("A=\x00"), ".env: holds a zero byte: it is not a text file"},
		"large":   {text(strings.Repeat("#", 1<<20+1)), ".env: has 1048577 bytes, more than the 1048576 that are read"},
		"loop":    {func(path string) error { return os.Symlink(path, path) }, ".env: cannot be read: too many levels of symbolic links"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := project(t)
			if err := tt.make(filepath.Join(dir, ".env")); err != nil {
				t.Fatal(err)
			}
			_, _, err := env.Load(dir, env.Options{Environ: []string{}})
			if err == nil || err.Error() != tt.want {
				t.Errorf("error is %q, want %q", err, tt.want)
			}
			if !errors.Is(err, errdefs.ErrInvalid) {
				t.Errorf("the error is not of class ErrInvalid")
			}
		})
	}
}

func text(s string) func(string) error {
	return func(path string) error { return os.WriteFile(path, []byte(s), 0o600) }
}

func TestUnknownOptionEnvIsUsage(t *testing.T) {
	t.Parallel()
	if _, _, err := env.Load(project(t), env.Options{Environ: []string{}, Env: "prodd"}); !errors.Is(err, errdefs.ErrUsage) {
		t.Errorf("error is %v, want one of class ErrUsage", err)
	}
	cfg, _, err := env.Load(project(t, ".env", secrets+"ENV=dev", ".env.staging", "X=1"), env.Options{Environ: []string{}, Env: "stage"})
	if err != nil || cfg.Env != env.Staging || cfg.Functions["X"] != "1" {
		t.Errorf("got %v %v", cfg, err)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	cfg := load(t, project(t, ".env", "NESTJS_PORT=1", ".env.dev", "\nNESTJS_PORT=2", ".env.local", secrets), "NESTJS_PORT=4")
	e, ok := cfg.Explain("NESTJS_PORT")
	if !ok || e.Value.String() != "NESTJS_PORT=4" || e.Value.Source.Kind != env.FromEnvironment || e.Default != "3001" {
		t.Errorf("winner: %+v %v", e, ok)
	}
	var shadowed []string
	for _, v := range e.Shadowed {
		shadowed = append(shadowed, v.Source.String()+" "+v.String())
	}
	if diff := cmp.Diff([]string{".env.dev:2 NESTJS_PORT=2", ".env:1 NESTJS_PORT=1"}, shadowed); diff != "" {
		t.Errorf("shadowed (-want +got):\n%s", diff)
	}
	if e, ok := cfg.Explain("NESTJS_PROT"); ok || e.Note != "did you mean NESTJS_PORT?" {
		t.Errorf("unknown key: %+v %v", e, ok)
	}
}

// TestNoSecretIsPrinted prints the configuration in every way and looks for the secrets.
func TestNoSecretIsPrinted(t *testing.T) {
	t.Parallel()
	local := ""
	var localSb193 strings.Builder
	for _, key := range []string{
		"POSTGRES_PASSWORD", "HASURA_GRAPHQL_ADMIN_SECRET", "REDIS_PASSWORD", "HASURA_JWT_KEY", "SMTP_PASS", "STRIPE_SECRET_KEY",
		"GITHUB_TOKEN", "HASURA_GRAPHQL_ADMIN_SECRETS", "S3_SECRET_KEY",
	} {
		localSb193.WriteString(key + "=hunter2hunter2hunter2hunter2hunter2\n")
	}
	local += localSb193.String()
	local += "CRM=https://me:hunter2@crm.example.com/x\nGOLANG_URL=http://u:hunter2@h\nPOSTGRES_PASWORD=hunter2\nSMTP_HOST=h\n"
	cfg, report, err := env.Load(project(t, ".env.local", local), env.Options{Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	e, _ := cfg.Explain("POSTGRES_PASSWORD")
	f, _ := cfg.Explain("CRM")
	for i, v := range []any{
		cfg, *cfg, cfg.Postgres, &cfg.Redis, cfg.Hasura, cfg.Mail, cfg.Functions, cfg.Golang.Name, cfg.Hasura.JWTSecret, e, f,
		cfg.DatabaseURL("h:1"), cfg.RedisURL("h:1"), report.Warnings,
		struct{ C env.Config }{*cfg},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if verb == "%x" {
				if strings.Contains(fmt.Sprintf(verb, v), fmt.Sprintf("%x", "hunter2")) {
					t.Errorf("value %d printed with %s shows a secret", i, verb)
				}
				continue
			}
			if strings.Contains(fmt.Sprintf(verb, v), "hunter2") {
				t.Errorf("value %d printed with %s shows a secret", i, verb)
			}
		}
		data, err := json.Marshal(v)
		if err != nil || strings.Contains(string(data), "hunter2") {
			t.Errorf("value %d as JSON shows a secret (%v)", i, err)
		}
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", slog.Any("v", v))
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", slog.Any("v", v))
		if strings.Contains(log.String(), "hunter2") {
			t.Errorf("value %d in a log shows a secret", i)
		}
	}
	for _, v := range cfg.Values() {
		if strings.Contains(v.Masked(), "hunter2") {
			t.Errorf("%s is not masked", v.Key)
		}
	}
	for _, w := range report.Warnings {
		if strings.Contains(w.String()+w.Hint, "hunter2") {
			t.Errorf("a warning shows a secret: %s", w)
		}
	}
}

// TestGoldensShowNoSecret reads what the message tests expect: their secrets are all called hunter2 or
// 0123456789abcdef.
func TestGoldensShowNoSecret(t *testing.T) {
	t.Parallel()
	paths, _ := filepath.Glob("testdata/load/*.txtar")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, want, ok := strings.Cut(string(data), "-- want --\n")
		if !ok || strings.Contains(want, "hunter") || strings.Contains(want, "0123456789abcdef") {
			t.Errorf("%s has no want section, or a secret in it", path)
		}
	}
}

func TestKeysAreDescribed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range env.Keys() {
		if k.Doc == "" || k.Group == "" || k.Kind == "" || strings.HasSuffix(k.Doc, ".") || seen[k.Name] {
			t.Errorf("%s: incomplete or twice", k.Name)
		}
		seen[k.Name] = true
	}
}

func TestUnreadKeys(t *testing.T) {
	t.Parallel()
	dir := project(t, ".env.local", secrets+"USED=1\nIN_YAML=1\nLONELY=1\nUSED_NOT=1\nIN_MODULES=1\n")
	for path, content := range map[string]string{
		"functions/nestjs/src/a.ts":            "process.env.USED + process.env.USED_NOTHING",
		"functions/nestjs/node_modules/x/a.js": "process.env.IN_MODULES",
		"hasura/metadata/actions.yaml":         "value_from_env: IN_YAML",
		"functions/bin":                        "\x00LONELY",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, content)
	}
	warnings, err := load(t, dir).UnreadKeys(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range warnings {
		got = append(got, w.Key)
	}
	if diff := cmp.Diff([]string{"IN_MODULES", "LONELY", "USED_NOT"}, got); diff != "" {
		t.Errorf("unread (-want +got):\n%s", diff)
	}
	if warnings, err := load(t, project(t, ".env.local", secrets+"X=1")).UnreadKeys(os.DirFS(t.TempDir())); err != nil || len(warnings) != 1 {
		t.Errorf("without the folders: %v %v", warnings, err)
	}
}

func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("NESTJS_ENABLED=true\nNESTJS_ENABLE=1\nAPI_KEY='x'\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	local := secrets
	var localSb310 strings.Builder
	for i := range 30 {
		fmt.Fprintf(&localSb310, "# a comment\nMY_OWN_SETTING_%d=\"value number %d\"\n", i, i)
	}
	local += localSb310.String()
	if err := os.WriteFile(filepath.Join(dir, ".env.local"), []byte(local), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := env.Load(dir, env.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
