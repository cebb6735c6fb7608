package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/ui"
)

// A wrong command line says which word is wrong and what would do, with exit code 2.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"upp":                            "error: unknown command \"upp\" for \"nself\"\n  fix: did you mean up?",
		"action lst":                     "error: unknown command \"lst\" for \"nself action\"\n  fix: did you mean list?",
		"db -C . migrat":                 "error: unknown command \"migrat\" for \"nself db\"\n  fix: did you mean migrate?",
		"config zzzzzz":                  "error: unknown command \"zzzzzz\" for \"nself config\"\n  fix: the commands are explain, get, set, show, validate",
		"completion pearl":               "error: unknown command \"pearl\" for \"nself completion\"\n  fix: the commands are bash, fish, powershell, zsh",
		"status now":                     "error: nself status takes no arguments, got \"now\"",
		"action show":                    "error: nself action show takes <name>, got no argument",
		"action rename a":                "error: nself action rename takes <old> <new>, got only one argument",
		"config set KEY hunter2 more":    "error: nself config set takes <key> {<value> | -}, got 3 arguments",
		"init a b":                       "error: nself init takes [<dir>], got 2 arguments",
		"up --wath":                      "error: unknown flag: --wath\n  fix: did you mean --watch?",
		"up --zzzzzzzz":                  "error: unknown flag: --zzzzzzzz",
		"up --wait-timeout 5":            "error: --wait-timeout must be a duration, got \"5\"\n  fix: write it with its unit, such as 30s or 2m",
		"up --watch=maybe":               "error: --watch must be true or false, got \"maybe\"",
		"up --driver dokcer":             "error: --driver \"dokcer\": the drivers are auto, docker and native",
		"logs --tail many":               "error: --tail must be a whole number, got \"many\"",
		"build --keep a --force b":       "error: --force and --keep exclude each other\n  fix: give only one of them",
		"action modify a --async --sync": "error: --async and --sync exclude each other\n  fix: give only one of them",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			f := &Factory{IO: &ui.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, WorkDir: t.TempDir()}
			code := run(t.Context(), f, strings.Fields(line))
			got, usage, _ := strings.Cut(errs.String(), "\n\nUsage: nself")
			if diff := cmp.Diff(want, got); diff != "" || code != exitUsage || usage == "" || out.Len() > 0 {
				t.Errorf("code %d, stdout %q (-want +got):\n%s", code, out.String(), diff)
			}
		})
	}
}

// A group of commands alone, and one with --help, show the help.
func TestGroupHelp(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"action", "db migrate", "config --help", "db zzz --help"} {
		var out, errs bytes.Buffer
		f := &Factory{IO: &ui.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, WorkDir: t.TempDir()}
		if code := run(t.Context(), f, strings.Fields(line)); code != exitOK || !strings.Contains(out.String(), "Available Commands:") {
			t.Errorf("%s: code %d\n%s%s", line, code, out.String(), errs.String())
		}
	}
}

// A file that the command line names and that cannot be taken is called by its name and flag, with what to name instead.
func TestInputErrors(t *testing.T) {
	t.Parallel()
	p := newConfigProject(t, "", configSecrets)
	for _, dir := range []string{"hasura/metadata", "types"} {
		if err := os.MkdirAll(filepath.Join(p.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(p.dir, "broken.json"), []byte("{\n\"openapi\": \"3.0.0\",\n\"paths\":"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]struct {
		text string
		code int
	}{
		"-C nowhere status":                         {"--project nowhere: there is no such folder\n  fix: name a project's folder, or make one with nself init nowhere\n", exitUsage},
		"-C .env status":                            {"--project .env is a file, not a folder\n  fix: name the project's folder\n", exitUsage},
		"-C types status":                           {"types: not an nself project: it has no hasura/config.yaml\n  fix: run nself init types\n", exitInvalid},
		"action new a --runtime golang --sdl types": {"--sdl types is a folder, not a file\n  fix: name a file with the action's types, or - for standard input\n", exitUsage},
		"action new a --runtime golang --sdl none":  {"--sdl none: there is no such file\n  fix: name a file with the action's types, or - for standard input\n", exitUsage},
		"action import types":                       {"types is a folder, not a file\n  fix: name a file, a URL, - or --hasura URL\n", exitUsage},
		"action import broken.json":                 {"broken.json:3: unexpected end of JSON input\n  fix: import an OpenAPI 3 document, exported metadata or SDL\n", exitInvalid},
		"action import -":                           {"standard input is empty\n  fix: import an OpenAPI 3 document, exported metadata or SDL\n", exitInvalid},
		"action import http://127.0.0.1:1/api.json": {"read http://127.0.0.1:1/api.json: nothing answers there\n  fix: download the document and name the file\n", exitUnavailable},
		"action import --hasura http://127.0.0.1:1": {"read the metadata of http://127.0.0.1:1: nothing answers there\n  fix: start the engine, or name another one\n", exitUnavailable},
		"db seed types":                             {"types is a folder, not a file\n  fix: name an SQL file; the project's own seeds are in hasura/seeds/default\n", exitUsage},
		"db restore types":                          {"types is a folder, not a file\n  fix: name a file that nself db dump has made, or - for standard input\n", exitUsage},
		"db restore -":                              {"restore -: the dump is empty\n  fix: make one with nself db dump FILE\n", exitInvalid},
		"test perl":                                 {"runtime \"perl\" is not known\n  fix: choose among golang, nestjs, python\n", exitUsage},
		"man .env/man1":                             {"write manual pages: mkdir .env: not a directory\n  fix: name a folder that you may write to\n", exitFailure},
		"gateway --metadata-dir none":               {"read metadata: stat none: no such file or directory\n  fix: name a project or its metadata with --metadata-dir or HASURA_GRAPHQL_METADATA_DIR\n", exitInvalid},
		"gateway --metadata-dir .env":               {"read metadata: .env is a file, not a folder\n  fix: name a project or its metadata with --metadata-dir or HASURA_GRAPHQL_METADATA_DIR\n", exitInvalid},
		"gateway --metadata-dir . --server-port 0 --admin-secret abc --auth-hook ftp://user:hunter2@host": {"HASURA_GRAPHQL_AUTH_HOOK: expected an http or https URL\n  fix: write it as https://auth.example.com/hook\n", exitInvalid},
		"gateway --retries 0 --server-port 0 --database-url postgres://u:hunt:er2@h:x/db":                 {"HASURA_GRAPHQL_DATABASE_URL: cannot be read\n  fix: write it as postgres://USER:PASSWORD@HOST:5432/DATABASE, special characters of the password %-encoded\n", exitInvalid},
		"gateway healthcheck --url http://127.0.0.1:1/healthz":                                            {"check the engine: http://127.0.0.1:1/healthz: nothing answers there\n  fix: start it, or name another one with --url\n", exitUnhealthy},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			f := &Factory{IO: &ui.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, WorkDir: p.dir}
			code := run(t.Context(), f, strings.Fields(line))
			got := strings.ReplaceAll(errs.String(), p.dir+"/", "")
			got, _, _ = strings.Cut(got, "\nUsage: nself")
			if diff := cmp.Diff("error: "+want.text, got); diff != "" || code != want.code {
				t.Errorf("code %d, want %d (-want +got):\n%s", code, want.code, diff)
			}
		})
	}
}
