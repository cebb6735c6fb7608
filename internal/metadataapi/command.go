package metadataapi

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/action"
)

type rawJSON = json.RawMessage

// endpoint is the path that a request came to; each knows other commands.
type endpoint uint8

const (
	onMetadata endpoint = 1 << iota // /v1/metadata
	onQuery                         // /v1/query
	onV2Query                       // /v2/query
)

// command is one operation of a request.
type command struct {
	name    string
	form    int64  // the member version: 1 or 2
	version *int64 // the member resource_version
	args    json.RawMessage
}

func readCommand(raw json.RawMessage) (command, *action.Error) {
	o := readObject(raw, "RQLMetadata")
	c := command{name: o.text("type"), form: 1, version: o.integer("resource_version"), args: o.need("args")}
	if form := o.integer("version"); form != nil {
		if c.form = *form; c.form != 1 && c.form != 2 {
			o.fail("version", "expected 1 or 2")
		}
	}
	return c, o.err
}

// success is the answer of most operations.
var success = []byte(`{"message":"success"}`)

// operation carries a command out. The error's path begins at the arguments.
type operation struct {
	on  endpoint
	run func(r *run, c command) ([]byte, *action.Error)
}

// operations are what the API can do. Those of a table or a database exist with the prefix pg_ too.
func operations() map[string]operation {
	both := onMetadata | onQuery
	ops := map[string]operation{
		"create_action":              {both, createAction},
		"update_action":              {both, updateAction},
		"drop_action":                {both, dropAction},
		"create_action_permission":   {both, createActionPermission},
		"drop_action_permission":     {both, dropActionPermission},
		"set_custom_types":           {both, setCustomTypes},
		"add_inherited_role":         {both, addInheritedRole},
		"drop_inherited_role":        {both, dropInheritedRole},
		"export_metadata":            {both, exportMetadata},
		"replace_metadata":           {both, replaceMetadata},
		"reload_metadata":            {both, reloadMetadata},
		"clear_metadata":             {both, clearMetadata},
		"get_inconsistent_metadata":  {both, getInconsistentMetadata},
		"drop_inconsistent_metadata": {both, dropInconsistentMetadata},
		"test_webhook_transform":     {onMetadata, testWebhookTransform},
		"bulk":                       {both | onV2Query, bulk},
		"bulk_keep_going":            {onMetadata, bulkKeepGoing},
		"bulk_atomic":                {onMetadata, bulkAtomic},
		"run_sql":                    {onQuery | onV2Query, runSQL},
		"pg_run_sql":                 {onQuery | onV2Query, runSQL},
		"add_existing_table_or_view": {onQuery, trackTable},
		"track_table":                {both, trackTable},
		"pg_track_table":             {both, trackTable},
		"untrack_table":              {both, untrackTable},
		"pg_untrack_table":           {both, untrackTable},
	}
	for _, kind := range []string{"select", "insert", "update", "delete"} {
		for _, prefix := range []string{"", "pg_"} {
			ops[prefix+"create_"+kind+"_permission"] = operation{both, createTablePermission(kind)}
			ops[prefix+"drop_"+kind+"_permission"] = operation{both, dropTablePermission(kind)}
		}
	}
	return ops
}

// dispatch carries out one command. The error's path begins at the command.
func (r *run) dispatch(c command) ([]byte, *action.Error) {
	op, ok := r.api.ops[c.name]
	if !ok || op.on&r.endpoint == 0 {
		return nil, r.unknown(c.name)
	}
	answer, err := op.run(r, c)
	if err != nil {
		return nil, err.Under("args")
	}
	return answer, nil
}

// backends are the prefixes of commands that concern one kind of database.
func backends() map[string]string {
	return map[string]string{
		"pg": "postgres", "citus": "citus", "cockroach": "cockroach", "mssql": "mssql", "bigquery": "bigquery",
		"snowflake": "snowflake", "mysql": "mysql", "dataconnector": "dataconnector",
	}
}

// unsupported are parts of the names of commands that Hasura has for what this gateway does not serve.
func unsupported() []string {
	return []string{
		"table", "relationship", "computed_field", "function", "event_trigger", "cron_trigger", "scheduled_event",
		"remote_schema", "collection", "allowlist", "rest_endpoint", "api_limits", "metrics_config", "source", "native_query",
		"logical_model", "stored_procedure", "query_tags", "opentelemetry", "introspection", "tls_allowlist",
		"network", "catalog_state", "internal_state", "permission", "event", "agent", "connection_template",
		"feature_flag", "table_as_enum", "backend_config", "kinds",
	}
}

// dmlCommands are queries for tables, on /v1/query and /v2/query.
func dmlCommands() []string {
	return []string{"select", "insert", "update", "delete", "count", "concurrent_bulk"}
}

// unknown words the refusal of a command that this endpoint does not have.
func (r *run) unknown(name string) *action.Error {
	prefix, rest, _ := strings.Cut(name, "_")
	_, known := r.api.ops[name]
	backend, isBackend := backends()[prefix]
	switch {
	case known:
		return refuse(action.CodeNotSupported, "the command \""+name+"\" does not belong to this endpoint: "+r.where(name))
	case isUnsupported(name, rest, isBackend):
		return refuse(action.CodeNotSupported, "the command \""+name+"\" is not supported: this gateway serves actions only")
	case r.endpoint != onMetadata:
		return parseFailed("", "unknown query command \""+name+"\"").Under("type")
	case isBackend:
		return parseFailed("", "unknown metadata command \""+rest+"\" for backend "+backend)
	default:
		return parseFailed("", "unknown metadata command \""+name+"\"; \""+prefix+
			"\" was not recognized as a valid backend name")
	}
}

// where says to which endpoint a command belongs.
func (r *run) where(name string) string {
	if r.api.ops[name].on&onMetadata != 0 {
		return "send it to /v1/metadata"
	}
	return "send it to /v2/query"
}

// isUnsupported tells Hasura's commands from inventions: they are verbs with one of its objects.
func isUnsupported(name, rest string, isBackend bool) bool {
	if slices.Contains(dmlCommands(), name) {
		return true
	}
	if isBackend {
		name = rest
	}
	verb, object, ok := strings.Cut(name, "_")
	if !ok || !slices.Contains(verbs(), verb) {
		return false
	}
	return slices.ContainsFunc(unsupported(), func(part string) bool { return strings.Contains(object, part) })
}

func verbs() []string {
	return []string{
		"add", "alter", "bulk", "clear", "create", "delete", "drop", "dump", "get", "introspect", "invoke", "list",
		"redeliver", "reload", "remove", "rename", "resume", "set", "suggest", "test", "track", "untrack", "update",
		"validate",
	}
}
