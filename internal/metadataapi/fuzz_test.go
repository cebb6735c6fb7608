package metadataapi_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/metadataapi"
)

// FuzzRequest looks for requests that panic, answer no JSON, or leave metadata behind that cannot be read again.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		createPing,
		`{"type":"bulk","args":[` + createPing + `,{"type":"drop_action","args":{"name":"ping"}}]}`,
		`{"type":"set_custom_types","args":{"objects":[{"name":"A","fields":[{"name":"b","type":"[A!]"}],"relationships":[` +
			`{"name":"r","type":"object","remote_table":"t","field_mapping":{"b":"c"}}]}],"enums":[{"name":"E",` +
			`"values":[{"value":"V"}]}]}}`,
		`{"type":"replace_metadata","version":2,"args":{"allow_inconsistent_metadata":true,` +
			`"metadata":{"version":3,"sources":[` +
			`{"name":"default","tables":[{"table":{"schema":"s","name":"t"}}]}],"cron_triggers":[1]}}}`,
		`{"type":"replace_metadata","args":{"tables":[{"table":"t"}],"actions":null}}`,
		`{"type":"track_table","args":{"table":"t","configuration":{"custom_name":"x"}}}`,
		`{"type":"create_select_permission","args":{"table":"t","role":"r","permission":{}}}`,
		`{"type":"test_webhook_transform","args":{"webhook_url":"http://h/{{A}}","env":{"A":"b"},"body":[1],` +
			`"request_transform":` +
			`{"version":2,"template_engine":"Kriti","body":{"action":"transform","template":"{{ $body }}"}}}}`,
		`{"type":"add_inherited_role","args":{"role_name":"a","role_set":["b"]}}`,
		`{"type":"drop_inconsistent_metadata","args":{}}`,
		`{"type":"bulk_keep_going","args":[{"type":"x","args":{}},{"type":"clear_metadata","args":{}}]}`,
		`{"type":"export_metadata","resource_version":1,"version":2,"args":{}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		store, err := metadataapi.NewMemoryStore(emptyDocument())
		if err != nil {
			t.Fatal(err)
		}
		fix := newFixture(t, metadataapi.Options{Store: store})
		for _, path := range []string{metadataPath, "/v1/query", "/v2/query"} {
			status, answer := fix.send(t, path, body)
			if !json.Valid([]byte(answer)) {
				t.Fatalf("%s: no JSON: %s", path, answer)
			}
			var e struct{ Code, Error string }
			if status != http.StatusOK && (json.Unmarshal([]byte(answer), &e) != nil || e.Code == "" ||
				e.Error == "internal error") {
				t.Fatalf("%s: status %d: %s", path, status, answer)
			}
		}
		md, _, err := store.Load(t.Context())
		if err != nil {
			t.Fatalf("stored metadata: %v", err)
		}
		exported := fix.must(t, metadataPath, `{"type":"export_metadata","args":{}}`)
		again, err := metadata.ParseDocument([]byte(exported), "$")
		if err != nil {
			t.Fatalf("exported metadata: %v: %s", err, exported)
		}
		a, _ := md.MarshalJSON()
		b, _ := again.MarshalJSON()
		if string(a) != string(b) {
			t.Fatalf("export and store differ:\n%s\n%s", a, b)
		}
	})
}

// TestExportOfAProjectComesBack: what the Hasura CLI would send of the project of package metadata's tests is accepted
// and exported unchanged.
func TestExportOfAProjectComesBack(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "metadata", "testdata", "export.json"))
	if err != nil {
		t.Fatal(err)
	}
	var md metadata.Metadata
	if err := json.Unmarshal(doc, &md); err != nil {
		t.Fatal(err)
	}
	want, err := md.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, metadataapi.Options{})
	f.must(t, metadataPath, `{"type":"replace_metadata","version":2,`+
		`"args":{"allow_inconsistent_metadata":true,"metadata":`+
		string(want)+`}}`)
	if got := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`); got != string(want) {
		t.Errorf("export:\n%s\nwant:\n%s", got, want)
	}
}
