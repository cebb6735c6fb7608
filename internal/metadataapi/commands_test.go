package metadataapi_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadataapi"
)

const metadataPath = "/v1/metadata"

// TestRefusals: each command with each of its faults, after the same beginning.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const (
		begin = `{"type":"bulk","args":[` + createPing + `,
			{"type":"create_action_permission","args":{"action":"ping","role":"clerk"}},
			{"type":"add_inherited_role","args":{"role_name":"boss","role_set":["clerk"]}},
			{"type":"track_table","args":"orders"},
			{"type":"create_select_permission","args":{"table":"orders","role":"clerk",
				"permission":{"columns":["id"],"filter":{}}}}]}`
		definition = `"definition":{"handler":"http://h/x","output_type":"String"}`
	)
	tests := map[string]struct {
		path, command string // path: /v1/metadata when empty
		status        int    // 400 when zero
		want          string // path, code, message
	}{
		"no json": {command: `{"type":`, want: `$ invalid-json Error in $: not a valid json value`},
		"no object": {
			command: `[]`,
			want:    `$ parse-failed parsing RQLMetadata failed, expected Object, but encountered Array`,
		},
		"no type": {command: `{"args":{}}`, want: `$ parse-failed key "type" not found`},
		"type no string": {
			command: `{"type":1,"args":{}}`,
			want:    `$.type parse-failed parsing Text failed, expected String, but encountered Number`,
		},
		"no args": {command: `{"type":"export_metadata"}`, want: `$ parse-failed key "args" not found`},
		"version 3": {
			command: `{"type":"export_metadata","version":3,"args":{}}`,
			want:    `$.version parse-failed expected 1 or 2`,
		},
		"resource version no number": {
			command: `{"type":"export_metadata","resource_version":"1","args":{}}`,
			want:    `$.resource_version parse-failed parsing Int failed, expected Number, but encountered String`,
		},
		"resource version": {
			command: `{"type":"export_metadata","resource_version":7,"args":{}}`, status: http.StatusConflict,
			want: `$ conflict metadata resource version referenced (7) did not match current version`,
		},
		"create_action exists": {
			command: createPing, want: `$.args already-exists action with name "ping" already exists`,
		},
		"create_action args": {
			command: `{"type":"create_action","args":[]}`,
			want:    `$.args parse-failed parsing CreateAction failed, expected Object, but encountered Array`,
		},
		"create_action header": {
			command: `{"type":"create_action","args":{"name":"x","definition":{"handler":"http://h","output_type":"String",` +
				`"headers":[{"name":"a","value":"1"},{"name":"b"}]}}}`,
			want: `$.args.definition.headers[1] parse-failed expecting value or value_from_env keys`,
		},
		"create_action template": {
			command: `{"type":"create_action","args":{"name":"x","definition":{"handler":"http://h","output_type":"String",` +
				`"request_transform":{"template_engine":"Kriti","body":"{{"}}}}`,
			want: `$.args validation-failed request transform validation failed`,
		},
		"create_action response template": {
			command: `{"type":"create_action","args":{"name":"x","definition":{"handler":"http://h","output_type":"String",` +
				`"response_transform":{"template_engine":"Kriti","body":"{{"}}}}`,
			want: `$.args validation-failed response transform validation failed`,
		},
		"create_action type": {
			command: `{"type":"create_action","args":{"name":"x","definition":{"handler":"http://h","output_type":"Nope"}}}`,
			want: `$.args invalid-configuration Inconsistent object: in action "x"; the type: "Nope" is not an ` +
				`object or scalar ` +
				`type defined in custom types`,
		},
		"create_action variable": {
			command: `{"type":"create_action","args":{"name":"x","definition":{"handler":"{{NOPE}}","output_type":"String"}}}`,
			want: `$.args invalid-configuration Inconsistent object: in action "x"; Value for environment ` +
				`variables not found: ` +
				`NOPE`,
		},
		"update_action unknown": {
			command: `{"type":"update_action","args":{"name":"x",` + definition + `}}`,
			want:    `$.args not-exists action with name "x" does not exist`,
		},
		"drop_action unknown": {
			command: `{"type":"drop_action","args":{"name":"x"}}`, want: `$.args not-exists action with name "x" does not exist`,
		},
		"drop_action clear_data": {
			command: `{"type":"drop_action","args":{"name":"ping","clear_data":"yes"}}`,
			want:    `$.args.clear_data parse-failed parsing Bool failed, expected Boolean, but encountered String`,
		},
		"create_action_permission twice": {
			command: `{"type":"create_action_permission","args":{"action":"ping","role":"clerk"}}`,
			want:    `$.args already-exists permission for role "clerk" is already defined on "ping"`,
		},
		"create_action_permission unknown": {
			command: `{"type":"create_action_permission","args":{"action":"x","role":"clerk"}}`,
			want:    `$.args not-exists action with name "x" does not exist`,
		},
		"create_action_permission no role": {
			command: `{"type":"create_action_permission","args":{"action":"ping","role":""}}`,
			want:    `$.args.role parse-failed empty string not allowed`,
		},
		"drop_action_permission unknown": {
			command: `{"type":"drop_action_permission","args":{"action":"ping","role":"x"}}`,
			want:    `$.args not-exists permission for role: "x" is not defined on "ping"`,
		},
		"drop_action_permission unknown action": {
			command: `{"type":"drop_action_permission","args":{"action":"x","role":"clerk"}}`,
			want:    `$.args not-exists permission for role: "clerk" is not defined on "x"`,
		},
		"set_custom_types args": {
			command: `{"type":"set_custom_types","args":null}`,
			want:    `$.args parse-failed parsing CustomTypes failed, expected Object, but encountered Null`,
		},
		"set_custom_types field": {
			command: `{"type":"set_custom_types","args":{"objects":[{"name":"A","fields":[{"name":"b","type":"C"}]}]}}`,
			want: `$.args invalid-configuration Inconsistent object: validation for the given custom types failed because the ` +
				`type "C" for field "b" in  object type "A" does not exist`,
		},
		"add_inherited_role itself": {
			command: `{"type":"add_inherited_role","args":{"role_name":"a","role_set":["b","a"]}}`,
			want:    `$.args invalid-params an inherited role name cannot be in the role combination`,
		},
		"add_inherited_role parent": {
			command: `{"type":"add_inherited_role","args":{"role_name":"a","role_set":["b",1]}}`,
			want:    `$.args.role_set[1] parse-failed expected the name of a role`,
		},
		"drop_inherited_role unknown": {
			command: `{"type":"drop_inherited_role","args":{"role_name":"x"}}`,
			want:    `$.args not-exists "x" inherited role doesn't exist`,
		},
		"replace_metadata version": {
			command: `{"type":"replace_metadata","args":{"version":4}}`,
			want:    `$.args.version parse-failed expected 3, encountered 4`,
		},
		"replace_metadata twice": {
			command: `{"type":"replace_metadata","version":2,"args":{"metadata":{"version":3,` +
				`"actions":[{"name":"x",` + definition +
				`},{"name":"x",` + definition + `}]}}}`,
			want: `$.args.metadata parse-failed multiple declarations exist for the following actions: x`,
		},
		"replace_metadata sources": {
			command: `{"type":"replace_metadata","args":{"version":3,"sources":[{"name":"a","tables":[{}]}]}}`,
			want:    `$.args.sources[0].tables[0] parse-failed key "table" not found`,
		},
		"replace_metadata source twice": {
			command: `{"type":"replace_metadata","args":{"version":3,"sources":[{"name":"a"},{"name":"a"}]}}`,
			want:    `$.args.sources[1] parse-failed multiple declarations exist for the following sources: a`,
		},
		"replace_metadata template": {
			command: `{"type":"replace_metadata","args":{"version":3,"sources":[],"actions":[{"name":"x","definition":` +
				`{"handler":"http://h","output_type":"String","request_transform":{"body":"{{"}}}]}}`,
			want: `$.args.actions[0] validation-failed request transform validation failed`,
		},
		"replace_metadata no metadata": {
			command: `{"type":"replace_metadata","version":2,"args":{}}`, want: `$.args parse-failed key "metadata" not found`,
		},
		"track_table twice": {
			command: `{"type":"track_table","args":{"name":"orders"}}`,
			want:    `$.args already-tracked view/table already tracked : "orders"`,
		},
		"track_table source": {
			command: `{"type":"pg_track_table","args":{"source":"x","table":"orders"}}`,
			want:    `$.args not-exists source with name "x" does not exist`,
		},
		"track_table name": {
			command: `{"type":"track_table","args":{"name":""}}`, want: `$.args.name parse-failed empty string not allowed`,
		},
		"untrack_table untracked": {
			command: `{"type":"untrack_table","args":{"table":{"schema":"s","name":"t"}}}`,
			want:    `$.args already-untracked view/table already untracked : "s.t"`,
		},
		"create_select_permission twice": {
			command: `{"type":"create_select_permission","args":{"table":"orders","role":"clerk","permission":{}}}`,
			want:    `$.args already-exists select permission already defined on table "orders" with role "clerk"`,
		},
		"create_select_permission table": {
			command: `{"type":"create_select_permission","args":{"table":"x","role":"clerk","permission":{}}}`,
			want:    `$.args not-exists table "x" does not exist in source: default`,
		},
		"create_select_permission shape": {
			command: `{"type":"create_select_permission","args":{"table":"orders","role":"clerk","permission":[]}}`,
			want:    `$.args.permission parse-failed parsing PermDef failed, expected Object, but encountered Array`,
		},
		"drop_update_permission unknown": {
			command: `{"type":"pg_drop_update_permission","args":{"table":"orders","role":"clerk"}}`,
			want:    `$.args permission-denied update permission on "orders" for role "clerk" does not exist`,
		},
		"bulk": {
			command: `{"type":"bulk","args":[{"type":"export_metadata","args":{}},{"type":"drop_action","args":{}}]}`,
			want:    `$.args[1].args parse-failed key "name" not found`,
		},
		"bulk args": {
			command: `{"type":"bulk","args":{}}`,
			want:    `$.args parse-failed parsing [] failed, expected Array, but encountered Object`,
		},
		"bulk in bulk": {
			command: `{"type":"bulk","args":[{"type":"bulk","args":[{"type":"x","args":{}}]}]}`,
			want: `$.args[0].args[0] parse-failed unknown metadata command "x"; ` +
				`"x" was not recognized as a valid backend name`,
		},
		"unknown pg": {
			command: `{"type":"pg_x","args":{}}`,
			want:    `$ parse-failed unknown metadata command "x" for backend postgres`,
		},
		"not served": {
			command: `{"type":"add_remote_schema","args":{}}`,
			want:    `$ not-supported the command "add_remote_schema" is not supported: this gateway serves actions only`,
		},
		"no table queries": {
			path: "/v1/query", command: `{"type":"select","args":{}}`,
			want: `$ not-supported the command "select" is not supported: this gateway serves actions only`,
		},
		"elsewhere": {
			path: "/v2/query", command: createPing,
			want: `$ not-supported the command "create_action" does not belong to this endpoint: send it to /v1/metadata`,
		},
		"run_sql no database": {
			path: "/v2/query", command: `{"type":"run_sql","args":{"sql":"SELECT 1"}}`,
			want: `$.args not-exists source with name "default" does not exist`,
		},
		"test_webhook_transform url": {
			command: `{"type":"test_webhook_transform","args":{"webhook_url":"x","body":{},"request_transform":{}}}`,
			want:    `$.args validation-failed request transform validation failed`,
		},
		"test_webhook_transform evaluation": {
			command: `{"type":"test_webhook_transform","args":{"webhook_url":"http://h","body":{},` +
				`"request_transform":{"body":"{{$body.world}}"}}}`,
			want: `$.args validation-failed request transform validation failed`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, metadataapi.Options{})
			f.must(t, "/v1/query", begin)
			before := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`)
			if tt.path == "" {
				tt.path = metadataPath
			}
			if tt.status == 0 {
				tt.status = http.StatusBadRequest
			}
			status, answer := f.send(t, tt.path, tt.command)
			var e struct{ Path, Code, Error string }
			if err := json.Unmarshal([]byte(answer), &e); err != nil {
				t.Fatalf("%v: %s", err, answer)
			}
			if diff := cmp.Diff(tt.want, strings.Join([]string{e.Path, e.Code, e.Error}, " ")); diff != "" ||
				status != tt.status {
				t.Errorf("status %d, want %d; error (-want +got):\n%s", status, tt.status, diff)
			}
			if after := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`); after != before {
				t.Errorf("the refused command changed the metadata:\n%s", cmp.Diff(before, after))
			}
			if got := f.version(t); got != 2 {
				t.Errorf("resource version %d, want 2", got)
			}
		})
	}
}

// TestJourney changes everything that the document can hold, and takes it away again.
func TestJourney(t *testing.T) {
	t.Parallel()
	log := &actionLog{}
	f := newFixture(t, metadataapi.Options{ActionLog: log})
	empty := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`)
	f.must(t, metadataPath, `{"type":"bulk","args":[
		{"type":"set_custom_types","args":{"enums":[{"name":"Color","values":[{"value":"RED"}]}]}},
		`+createPing+`,
		{"type":"update_action","args":{"name":"ping","comment":"answers","definition":
			{"handler":"{{HANDLER}}/pong","output_type":"String","arguments":[{"name":"color","type":"Color"}],"timeout":5}}},
		{"type":"create_action_permission","args":{"action":"ping","role":"clerk","definition":{"select":{}}}},
		{"type":"add_inherited_role","args":{"role_name":"boss","role_set":["clerk"]}},
		{"type":"add_inherited_role","args":{"role_name":"boss","role_set":["clerk","auditor"]}},
		{"type":"pg_track_table","args":{"table":"orders","configuration":{"custom_name":"Orders"}}},
		{"type":"pg_create_select_permission","args":{"table":"orders","role":"clerk","comment":"own",
			"permission":{"columns":["id"],"filter":{"id":"X-Hasura-User-Id"}}}}]}`)
	const want = `{"version":3,"sources":[{"name":"default","kind":"postgres","tables":[{"table":{"schema":"public",` +
		`"name":"orders"},"configuration":{"custom_name":"Orders"},"select_permissions":[{"role":"clerk","permission":` +
		`{"columns":["id"],"filter":{"id":"X-Hasura-User-Id"}},"comment":"own"}]}],"configuration":{"connection_info":` +
		`{"database_url":{"from_env":"DATABASE_URL"},"isolation_level":"read-committed",` +
		`"use_prepared_statements":false}}}],` +
		`"actions":[{"name":"ping","definition":{"handler":"{{HANDLER}}/pong","output_type":"String",` +
		`"ignored_client_headers":` +
		`["Content-Length","Content-MD5","User-Agent","Host","Origin","Referer","Accept","Accept-Encoding",` +
		`"Accept-Language",` +
		`"Accept-Datetime","Cache-Control","Connection","DNT","Content-Type"],"arguments":[{"name":"color",` +
		`"type":"Color"}],` +
		`"type":"mutation","kind":"synchronous","timeout":5},"comment":"answers","permissions":[{"role":"clerk"}]}],` +
		`"custom_types":{"enums":[{"name":"Color","values":[{"value":"RED"}]}]},` +
		`"inherited_roles":[{"role_name":"boss","role_set":["clerk","auditor"]}]}`
	got := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("export (-want +got):\n%s", diff)
	}
	// What was exported can be brought in again, in both forms, and changes nothing.
	version := f.version(t)
	f.must(t, metadataPath, `{"type":"replace_metadata","args":`+got+`}`)
	answer := f.must(t, metadataPath, `{"type":"replace_metadata","version":2,"args":{"metadata":`+got+`}}`)
	if answer != `{"is_consistent":true,"inconsistent_objects":[]}` {
		t.Errorf("replace: %s", answer)
	}
	if now := f.version(t); now != version {
		t.Errorf("the same metadata made version %d of %d", now, version)
	}
	f.must(t, metadataPath, `{"type":"bulk","args":[
		{"type":"pg_drop_select_permission","args":{"table":"orders","role":"clerk"}},
		{"type":"pg_untrack_table","args":{"table":"orders","cascade":true}},
		{"type":"drop_inherited_role","args":{"role_name":"boss"}},
		{"type":"drop_action_permission","args":{"action":"ping","role":"clerk"}},
		{"type":"drop_action","args":{"name":"ping"}},
		{"type":"set_custom_types","args":{}}]}`)
	if diff := cmp.Diff(empty, f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`)); diff != "" {
		t.Errorf("after taking all away (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ping"}, log.dropped); diff != "" {
		t.Errorf("dropped from the action log (-want +got):\n%s", diff)
	}
}

func TestDropActionAndItsEntries(t *testing.T) {
	t.Parallel()
	log := &actionLog{}
	f := newFixture(t, metadataapi.Options{ActionLog: log})
	f.must(t, metadataPath, createPing)
	f.must(t, metadataPath, `{"type":"drop_action","args":{"name":"ping","clear_data":false}}`)
	f.must(t, metadataPath, createPing)
	f.must(t, metadataPath, `{"type":"bulk_keep_going","args":[{"type":"bulk","args":[
		{"type":"drop_action","args":{"name":"ping"}},{"type":"drop_action","args":{"name":"ping"}}]}]}`)
	if len(log.dropped) != 0 {
		t.Errorf("entries of %q were dropped: the action was to keep them, or was not dropped", log.dropped)
	}
	log.err = errors.New("log is away")
	status, answer := f.send(t, metadataPath, `{"type":"drop_action","args":{"name":"ping"}}`)
	if status != http.StatusInternalServerError ||
		!strings.Contains(answer, "but its entries in the action log were not") {
		t.Errorf("status %d: %s", status, answer)
	}
	if strings.Contains(f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`), "ping") {
		t.Error("the action is still there")
	}
}

// TestInconsistentMetadata: what is inconsistent is reported, left out, and can be dropped.
func TestInconsistentMetadata(t *testing.T) {
	t.Parallel()
	f := newFixture(t, metadataapi.Options{})
	replace := func(allow string) (int, string) {
		return f.send(t, metadataPath, `{"type":"replace_metadata","version":2,"args":{"allow_inconsistent_metadata":`+allow+
			`,"metadata":{"version":3,"sources":[],"custom_types":{"objects":[{"name":"A","fields":[{"name":"b",`+
			`"type":"C"}]}]},`+
			`"actions":[{"name":"ping","definition":{"handler":"http://h","output_type":"String"}}]}}}`)
	}
	if status, answer := replace("false"); status != http.StatusBadRequest ||
		!strings.Contains(answer, `"error":"cannot continue due to inconsistent metadata"`) {
		t.Errorf("status %d: %s", status, answer)
	}
	status, answer := replace("true")
	var report struct {
		Consistent bool                    `json:"is_consistent"`
		Objects    []struct{ Name string } `json:"inconsistent_objects"`
	}
	if err := json.Unmarshal([]byte(answer), &report); err != nil {
		t.Fatal(err)
	}
	if status != http.StatusOK || report.Consistent || len(report.Objects) != 2 ||
		report.Objects[0].Name != "custom_types custom_types" || report.Objects[1].Name != "action ping" {
		t.Errorf("status %d: %s", status, answer)
	}
	if got := f.must(t, metadataPath, `{"type":"reload_metadata","args":{}}`); !strings.Contains(got, `"is_c`+
		`onsistent":false`) {
		t.Errorf("reload: %s", got)
	}
	f.must(t, metadataPath, `{"type":"drop_inconsistent_metadata","args":{}}`)
	got := f.must(t, metadataPath, `{"type":"get_inconsistent_metadata","args":{}}`)
	if got != `{"is_consistent":true,"inconsistent_objects":[]}` {
		t.Errorf("after dropping: %s", got)
	}
	if got := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`); got != `{"version":3,"sources":[]}` {
		t.Errorf("export: %s", got)
	}
	const old = `{"type":"replace_metadata","args":{"version":2,"tables":[]}}`
	if status, answer := f.send(t, metadataPath, old); status != http.StatusBadRequest || !strings.Contains(answer,
		`"error":"cannot import metadata without sources since no default source is defined"`) {
		t.Errorf("status %d: %s", status, answer)
	}
}

func TestAccess(t *testing.T) {
	t.Parallel()
	f := newFixture(t, metadataapi.Options{})
	tests := map[string]struct {
		headers map[string]string
		status  int
		code    string
	}{
		"no secret":    {nil, http.StatusUnauthorized, "access-denied"},
		"wrong secret": {map[string]string{"X-Hasura-Admin-Secret": "x"}, http.StatusUnauthorized, "access-denied"},
		"a role": {
			map[string]string{"X-Hasura-Admin-Secret": secret, "X-Hasura-Role": "clerk"}, http.StatusBadRequest, "access-denied",
		},
	}
	for name, tt := range tests {
		for _, path := range []string{metadataPath, "/v1/query", "/v2/query"} {
			// The body is not read before the caller has proved to be an administrator.
			status, answer := f.sendAs(t, path, `{"type":`, tt.headers)
			if status != tt.status || !strings.Contains(answer, `"code":"`+tt.code+`"`) {
				t.Errorf("%s at %s: status %d: %s", name, path, status, answer)
			}
		}
	}
}

// TestDropThatBreaksOthers: what something else depends on is not taken away.
func TestDropThatBreaksOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, metadataapi.Options{})
	f.must(t, metadataPath, `{"type":"bulk","args":[{"type":"pg_track_table","args":{"table":"orders"}},
		{"type":"set_custom_types","args":{"objects":[{"name":"Receipt","fields":[{"name":"id","type":"Int!"}],"relationships":[
			{"name":"order","type":"object","remote_table":"orders","field_mapping":{"id":"id"}}]}]}}]}`)
	before := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`)
	status, answer := f.send(t, metadataPath, `{"type":"pg_untrack_table","args":{"table":"orders"}}`)
	if status != http.StatusInternalServerError ||
		!strings.HasPrefix(answer, `{"error":"cannot continue due to newly found inconsistent metadata","path":"$.args","code":"unexpected",`) ||
		!strings.Contains(answer, `"name":"custom_types custom_types"`) {
		t.Errorf("got %d %s", status, answer)
	}
	if after := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`); after != before {
		t.Errorf("it was changed nevertheless (-before +after):\n%s", cmp.Diff(before, after))
	}
}
