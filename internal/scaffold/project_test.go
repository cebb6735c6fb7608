package scaffold

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/nself-org/nself/internal/errdefs"
)

func renderProject(t *testing.T, in ProjectInput) map[string]File {
	t.Helper()
	files, err := Project(in)
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]File{}
	for _, f := range files {
		if f.Owner != OwnerUser {
			t.Errorf("%s belongs to %s", f.Path, f.Owner)
		}
		byPath[f.Path] = f
	}
	return byPath
}

func TestProjectFiles(t *testing.T) {
	t.Parallel()
	files := renderProject(t, ProjectInput{Name: "shop"})
	want := []string{
		".env", ".env.local", ".gitignore", "README.md", "hasura/config.yaml", "hasura/metadata/actions.graphql",
		"hasura/metadata/actions.yaml", "hasura/metadata/allow_list.yaml", "hasura/metadata/api_limits.yaml",
		"hasura/metadata/backend_configs.yaml", "hasura/metadata/cron_triggers.yaml",
		"hasura/metadata/databases/databases.yaml", "hasura/metadata/databases/default/tables/tables.yaml",
		"hasura/metadata/graphql_schema_introspection.yaml", "hasura/metadata/inherited_roles.yaml",
		"hasura/metadata/metrics_config.yaml", "hasura/metadata/network.yaml", "hasura/metadata/opentelemetry.yaml",
		"hasura/metadata/query_collections.yaml", "hasura/metadata/remote_schemas.yaml",
		"hasura/metadata/rest_endpoints.yaml", "hasura/metadata/version.yaml",
		"hasura/migrations/default/1700000000000_init/down.sql", "hasura/migrations/default/1700000000000_init/up.sql",
		"hasura/seeds/default/.gitkeep",
	}
	var got []string
	for p := range files {
		got = append(got, p)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for p, f := range files {
		if want := map[bool]uint32{true: 0o600, false: 0o644}[p == ".env.local"]; uint32(f.Mode) != want {
			t.Errorf("%s has mode %o", p, f.Mode)
		}
		if strings.HasSuffix(p, ".yaml") {
			var v any
			if err := yaml.Unmarshal(f.Data, &v); err != nil || v == nil {
				t.Errorf("%s is not YAML with content: %v", p, err)
			}
		}
	}
	if len(files["hasura/metadata/actions.graphql"].Data) != 0 {
		t.Error("actions.graphql is not empty, and the Hasura CLI parses what is in it")
	}
}

func TestProjectSecrets(t *testing.T) {
	t.Parallel()
	first := renderProject(t, ProjectInput{Name: "shop", Runtimes: []string{"golang"}})
	second := renderProject(t, ProjectInput{Name: "shop", Runtimes: []string{"golang"}})
	seen := map[string]string{}
	for _, files := range []map[string]File{first, second} {
		secrets := map[string]string{}
		for line := range strings.Lines(string(files[".env.local"].Data)) {
			key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
			if ok && !strings.HasPrefix(key, "#") && !strings.HasPrefix(key, "GOLANG") {
				secrets[key] = value
			}
		}
		for _, key := range []string{
			"POSTGRES_PASSWORD", "HASURA_GRAPHQL_ADMIN_SECRET", "HASURA_JWT_KEY", "REDIS_PASSWORD", "MINIO_ROOT_PASSWORD",
		} {
			value := secrets[key]
			if len(value) < 43 || strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
				t.Errorf("%s is not 32 bytes of URL-safe text", key)
			}
			if other := seen[value]; other != "" {
				t.Errorf("%s is the same as %s", key, other)
			}
			seen[value] = key
			for p, f := range files {
				if p != ".env.local" && bytes.Contains(f.Data, []byte(value)) {
					t.Errorf("%s holds the value of %s", p, key)
				}
			}
		}
		if key, err := base64.StdEncoding.DecodeString(secrets["ENCRYPTION_KEY"]); err != nil || len(key) != 32 {
			t.Errorf("ENCRYPTION_KEY is not 32 bytes in base64: %v", err)
		}
		if len(secrets) != 6 {
			t.Errorf("%d secrets, want 6", len(secrets))
		}
	}
	if !bytes.Equal(first[".env"].Data, second[".env"].Data) {
		t.Error("the committed defaults differ from one project to the next")
	}
}

func TestProjectRuntimes(t *testing.T) {
	t.Parallel()
	lines := strings.Split(string(renderProject(t, ProjectInput{Name: "shop", Runtimes: []string{"golang", "python"}})[".env.local"].Data), "\n")
	for line, want := range map[string]bool{
		"GOLANG_ENABLED=true": true, "GOLANG_PORT=3003": true, "PYTHON_ENABLED=true": true, "PYTHON_PORT=3002": true,
		"NESTJS_ENABLED=true": false, "# NESTJS_ENABLED=true": true, "# NESTJS_PORT=3001": true,
	} {
		if slices.Contains(lines, line) != want {
			t.Errorf("line %q: want it: %t", line, want)
		}
	}
}

func TestProjectRefuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]ProjectInput{
		"upper case":      {Name: "Shop"},
		"too short":       {Name: "s"},
		"too long":        {Name: strings.Repeat("s", 31)},
		"hyphen first":    {Name: "-shop"},
		"slash":           {Name: "a/b"},
		"line break":      {Name: "shop\nX=1"},
		"empty":           {},
		"unknown runtime": {Name: "shop", Runtimes: []string{"ruby"}},
	} {
		if _, err := Project(in); !errors.Is(err, errdefs.ErrUsage) || len(errdefs.Hints(err)) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := io.LimitReader(strings.NewReader(strings.Repeat("x", 40)), 40)
	if _, err := Project(ProjectInput{Name: "shop", Secrets: broken}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a generator that ends early: %v", err)
	}
}

func TestProjectName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"shop": "shop", "My Shop": "my-shop", "--x--": "my-project", "": "my-project", "a_b.c": "a-b-c", "Grüße": "gr-e",
		strings.Repeat("ab-", 20): "ab-ab-ab-ab-ab-ab-ab-ab-ab-ab",
	} {
		got := ProjectName(in)
		if got != want {
			t.Errorf("ProjectName(%q) = %q, want %q", in, got, want)
		}
		if _, err := Project(ProjectInput{Name: got}); err != nil {
			t.Errorf("%q is not a valid name: %v", got, err)
		}
	}
}

func TestMergeGitignore(t *testing.T) {
	t.Parallel()
	const ours = "# Secrets\n.env.local\n\n# State\n.nself/*\n"
	for name, c := range map[string]struct{ theirs, want string }{
		"empty":           {"", "# Secrets\n.env.local\n# State\n.nself/*\n"},
		"others":          {"*.log\n", "*.log\n\n# Secrets\n.env.local\n# State\n.nself/*\n"},
		"no line end":     {"*.log", "*.log\n\n# Secrets\n.env.local\n# State\n.nself/*\n"},
		"one is there":    {".env.local\n", ".env.local\n\n# Secrets\n# State\n.nself/*\n"},
		"all are there":   {".nself/*\n.env.local\n", ".nself/*\n.env.local\n"},
		"carriage return": {".nself/*\r\n.env.local\r\n", ".nself/*\r\n.env.local\r\n"},
	} {
		if diff := cmp.Diff(c.want, string(MergeGitignore([]byte(c.theirs), []byte(ours)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
