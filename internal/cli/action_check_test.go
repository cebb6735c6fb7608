package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/ui"
)

// checkProject writes a project with one action per handler path, each `name(input: In!): Out`.
func checkProject(t *testing.T, base, sdl string, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	var fields, entries strings.Builder
	for _, name := range names {
		fmt.Fprintf(&fields, "  %s(input: In!): Out\n", name)
		fmt.Fprintf(&entries, "  - name: %[1]s\n    definition:\n      kind: synchronous\n      handler: %[2]s/%[1]s\n      headers:\n"+
			"        - name: X-Key\n          value: k-{{THE_KEY}}\n", name, base)
	}
	for name, text := range map[string]string{
		".env":                            "PROJECT_NAME=shop\nTHE_KEY=7\nHASURA_PORT=1\n",
		".env.local":                      "HASURA_GRAPHQL_ADMIN_SECRET=a-secret-that-is-long-enough-for-production\nPOSTGRES_PASSWORD=another-secret-long-enough\n",
		"hasura/config.yaml":              "version: 3\n",
		"hasura/metadata/version.yaml":    "version: 3\n",
		"hasura/metadata/actions.graphql": "type Mutation {\n" + fields.String() + "}\n" + sdl,
		"hasura/metadata/actions.yaml":    "actions:\n" + entries.String() + "custom_types: {}\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestActionCheckCall(t *testing.T) {
	t.Parallel()
	handlers := map[string]struct {
		status int
		body   string
	}{
		"good":   {200, `{"ok":true,"items":[{"cents":1}]}`},
		"shape":  {200, `{"ok":true,"items":[{"cents":"1"}]}`},
		"html":   {200, `<html>`},
		"refuse": {400, `{"message":"no such customer","extensions":{"code":"not-found"}}`},
		"stub":   {501, `{"message":"not written yet","extensions":{"code":"NOT_IMPLEMENTED"}}`},
		"mute":   {422, `{"error":"x"}`},
		"broken": {500, `{"message":"internal error"}`},
		"gone":   {404, `404 page not found`},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			Input struct {
				Input struct{ Email string } `json:"input"`
			} `json:"input"`
		}
		body, _ := io.ReadAll(r.Body)
		if json.Unmarshal(body, &call) != nil || call.Input.Input.Email != "sample@example.com" || r.Header.Get("X-Key") != "k-7" {
			t.Errorf("%s: body %s, key %q", r.URL.Path, body, r.Header.Get("X-Key"))
		}
		h := handlers[strings.TrimPrefix(r.URL.Path, "/")]
		w.WriteHeader(h.status)
		_, _ = io.WriteString(w, h.body)
	}))
	defer server.Close()
	names := []string{"good", "shape", "html", "refuse", "stub", "mute", "broken", "gone"}
	dir := checkProject(t, server.URL, "input In { email: String!, size: Int = 3 }\ntype Out { ok: Boolean! items: [Item!]! }\n"+
		"type Item { cents: Int! }\ntype Lonely { a: Int }\n", names...)
	var out, errOut strings.Builder
	streams := &ui.Streams{Out: &out, Err: &errOut}
	f := &Factory{IO: streams, Environ: []string{}, WorkDir: dir}
	if code := run(t.Context(), f, []string{"action", "check", "--call", "--json"}); code != exitInvalid {
		t.Errorf("exit code %d\n%s", code, errOut.String())
	}
	var findings []actionFinding
	if err := json.Unmarshal([]byte(out.String()), &findings); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range findings {
		if f.Rule == "drift" { // this project was never built
			continue
		}
		if f.Fix == "" {
			t.Errorf("%s: no advice", f.Text)
		}
		got = append(got, strings.ReplaceAll(f.Severity+" "+f.Rule+" "+f.Action+": "+f.Text, server.URL, "URL"))
	}
	want := []string{
		`warning metadata : input "In": field "size": Hasura drops the default value 3`,
		`warning unused-type : type "Lonely": no action uses it`,
		`error answer shape: action "shape": field items[0].cents is "1", and declared as Int`,
		`error answer html: action "html": the answer is not JSON: invalid character '<' looking for beginning of value`,
		`warning answer refuse: action "refuse": the handler refuses the sample input: no such customer`,
		`warning answer stub: action "stub": its handler is the stub that came with it`,
		`error answer mute: action "mute": status 422 without a message: Hasura answers "internal error" for it`,
		`error answer broken: action "broken": the handler fails with status 500: internal error`,
		`error answer gone: action "gone": nothing answers at URL/gone`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	out.Reset()
	if code := run(t.Context(), f, []string{"action", "check", "nothing"}); code != exitInvalid {
		t.Errorf("an action that does not exist: exit code %d", code)
	}
}

func TestActionCheckComparesTheEngine(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			return
		}
		if r.Header.Get("X-Hasura-Admin-Secret") != "a-secret-that-is-long-enough-for-production" {
			t.Error("wrong secret")
		}
		_, _ = io.WriteString(w, `{"version":3,"sources":[],"actions":[{"name":"a","definition":{"handler":"http://old","output_type":"Out",`+
			`"arguments":[{"name":"input","type":"In!"}],"type":"mutation","kind":"synchronous","headers":[{"name":"X-Key","value":"k-{{THE_KEY}}"}]}},`+
			`{"name":"c","definition":{"handler":"http://x","output_type":"Out","type":"mutation","kind":"synchronous"}}],`+
			`"custom_types":{"input_objects":[{"name":"In","fields":[{"name":"a","type":"Int"}]}],"objects":[{"name":"Out","fields":[{"name":"a","type":"Int!"}]}]}}`)
	}))
	defer server.Close()
	dir := checkProject(t, "http://example.com", "input In { a: Int }\ntype Out { a: Int }\n", "a", "b")
	port := server.URL[strings.LastIndexByte(server.URL, ':')+1:]
	var out, errOut strings.Builder
	f := &Factory{IO: &ui.Streams{Out: &out, Err: &errOut}, Environ: []string{"HASURA_PORT=" + port}, WorkDir: dir}
	if code := run(t.Context(), f, []string{"action", "check"}); code != exitInvalid {
		t.Errorf("exit code %d\n%s", code, errOut.String())
	}
	for _, want := range []string{
		`actions.graphql:2: action "a": the running engine has it differently`, `action "b": the running engine does not have it`,
		`action "c": only the running engine has it`, `actions.graphql:6: type "Out": the running engine has it differently`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}
