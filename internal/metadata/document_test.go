package metadata_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadata"
)

// TestExportNormalForm compares with testdata/export.json, the document in testdata/import.json as Hasura exports it.
func TestExportNormalForm(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "import.json"))
	if err != nil {
		t.Fatal(err)
	}
	var md metadata.Metadata
	if err := json.Unmarshal(data, &md); err != nil {
		t.Fatal(err)
	}
	got := indented(t, &md)
	golden := filepath.Join("testdata", "export.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("export (-want +got):\n%s", diff)
	}
	// What is exported is the normal form: another round changes nothing.
	var again metadata.Metadata
	if err := json.Unmarshal(got, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), string(indented(t, &again))); diff != "" {
		t.Errorf("second export (-want +got):\n%s", diff)
	}
}

func indented(t *testing.T, md *metadata.Metadata) []byte {
	t.Helper()
	data, err := json.Marshal(md)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}

// TestRenderRoundTrip writes a document as a directory and reads it again.
func TestRenderRoundTrip(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "import.json"))
	if err != nil {
		t.Fatal(err)
	}
	var md metadata.Metadata
	if err := json.Unmarshal(data, &md); err != nil {
		t.Fatal(err)
	}
	files, err := metadata.Render(&md)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := metadata.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(indented(t, &md)), string(indented(t, got))); diff != "" {
		t.Errorf("after the round trip (-want +got):\n%s", diff)
	}
}

func TestShapeErrors(t *testing.T) {
	t.Parallel()
	action := func(definition string) string {
		return `{"version":3,"actions":[{"name":"a","definition":{"handler":"h","output_type":"Int",` + definition + `}}]}`
	}
	const def = "$.actions[0].definition"
	for name, c := range map[string]struct{ doc, path, message string }{
		"not an object": {`[]`, "$", "parsing Metadata failed, expected Object, but encountered Array"},
		"version":       {`{"version":2}`, "$.version", "expected 3, encountered 2"},
		"actions":       {`{"actions":{}}`, "$.actions", "parsing [] failed, expected Array, but encountered Object"},
		"name":          {`{"actions":[{"name":"a-b"}]}`, "$.actions[0].name", "a-b is not valid GraphQL name"},
		"no definition": {`{"actions":[{"name":"a"}]}`, "$.actions[0]", `key "definition" not found`},
		"no output":     {`{"actions":[{"name":"a","definition":{"handler":"h"}}]}`, def, `key "output_type" not found`},
		"output":        {`{"actions":[{"name":"a","definition":{"handler":"h","output_type":"[Int"}}]}`, def + ".output_type", "not a valid GraphQL type: [Int"},
		"type":          {action(`"type":"subscription"`), def + ".type", "expected mutation or query, but found subscription"},
		"kind":          {action(`"kind":"later"`), def + ".kind", "expected synchronous or asynchronous, but found later"},
		"timeout":       {action(`"timeout":-1`), def + ".timeout", "timeout value cannot be negative"},
		"neither":       {action(`"headers":[{"name":"x"}]`), def + ".headers[0]", "expecting value or value_from_env keys"},
		"both":          {action(`"headers":[{"name":"x","value":"","value_from_env":"Y"}]`), def + ".headers[0]", "expecting only one of value or value_from_env keys"},
		"header":        {action(`"headers":[3]`), def + ".headers[0]", "expecting object for headers"},
		"env":           {action(`"headers":[{"name":"x","value_from_env":"HASURA_GRAPHQL_X"}]`), def + ".headers[0]", `env variables starting with "HASURA_GRAPHQL_" are not allowed in value_from_env: HASURA_GRAPHQL_X`},
		"transform":     {action(`"request_transform":{"version":3}`), def + ".request_transform.version", "expected 1 or 2, encountered 3"},
		"body":          {action(`"response_transform":{"version":2,"body":{"action":"x"}}`), def + ".response_transform.body.action", "invalid transform action"},
		"twice":         {`{"actions":[{"name":"a","definition":{"handler":"h","output_type":"Int"}},{"name":"a","definition":{"handler":"h","output_type":"Int"}}]}`, "$", "multiple declarations exist for the following actions: a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var md metadata.Metadata
			err := json.Unmarshal([]byte(c.doc), &md)
			shape, ok := errors.AsType[*metadata.ShapeError](err)
			if !ok {
				t.Fatalf("got %v, want a ShapeError", err)
			}
			if diff := cmp.Diff(&metadata.ShapeError{Path: c.path, Message: c.message}, shape); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestQueryIgnoresItsKind(t *testing.T) {
	t.Parallel()
	d, err := metadata.ParseDefinition([]byte(`{"handler":"h","output_type":"Int","type":"query","kind":"nonsense"}`), "$.args")
	if err != nil || d.Kind != "" || d.Type != metadata.Query {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := metadata.ParseDefinition([]byte(`{`), "$"); err == nil {
		t.Error("text that is not JSON is accepted")
	}
}
