package cli

import (
	"bytes"
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
