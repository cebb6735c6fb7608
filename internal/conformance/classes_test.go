package conformance_test

import "testing"

// class is a folder of Hasura's cases with its set-up.
type class struct {
	dir string
	// setup and teardown are posted once, values after each case. Each is "path file".
	setup, teardown []string
	values          string
	// secretOnly: the class needs an admin secret.
	secretOnly bool
	// before is SQL to run before the set-up.
	before string
	// skip says why nothing of the class runs.
	skip  string
	cases []testCase
	// more runs the cases that are code rather than files.
	more func(t *testing.T, s *stack, folder string, results *report)
}

// testCase is one case file.
type testCase struct {
	name string
	runOptions
	// sql runs before the case, in place of an insert over GraphQL.
	sql string
	// direct: the case's handler, or the case itself, reads or writes a table in the database rather than over GraphQL.
	direct bool
	// skip says why the case does not run.
	skip string
}

const (
	insertOne = `INSERT INTO "user" (email, name) VALUES ('clarke@gmail.com', 'Clarke')`
	insertTwo = `INSERT INTO "user" (id, email, name) VALUES (1, 'clarke@gmail.com', 'Clarke 1'), ` +
		`(2, 'clarke@gmail.com', 'Clarke 2')`
	noTables = "needs table GraphQL: "
)

// geography stands in for PostGIS, of which the cases use the name of one type only.
const geography = `
DO $$ BEGIN
  CREATE EXTENSION postgis;
EXCEPTION WHEN OTHERS THEN
  CREATE TYPE geography;
  CREATE FUNCTION geography_in(cstring) RETURNS geography AS 'textin' LANGUAGE internal IMMUTABLE STRICT;
  CREATE FUNCTION geography_out(geography) RETURNS cstring AS 'textout' LANGUAGE internal IMMUTABLE STRICT;
  CREATE TYPE geography (INPUT = geography_in, OUTPUT = geography_out, LIKE = text);
END $$`

func exact(names ...string) []testCase {
	var out []testCase
	for _, name := range names {
		out = append(out, testCase{name: name, runOptions: runOptions{exact: true}})
	}
	return out
}

func plain(names ...string) []testCase {
	var out []testCase
	for _, name := range names {
		out = append(out, testCase{name: name})
	}
	return out
}

func direct(sql string, options runOptions, names ...string) []testCase {
	var out []testCase
	for _, name := range names {
		out = append(out, testCase{name: name, runOptions: options, sql: sql, direct: true})
	}
	return out
}

func skipped(name, why string) []testCase { return []testCase{{name: name, skip: why}} }

func relationship(names ...string) []testCase {
	var out []testCase
	for _, name := range names {
		out = append(out, skipped(name, noTables+"an object relationship of an action is selected")...)
	}
	return out
}

func join(lists ...[]testCase) []testCase {
	var out []testCase
	for _, list := range lists {
		out = append(out, list...)
	}
	return out
}

// classes are Hasura's cases.
func classes() []class {
	legacy := func(files ...string) []string {
		var out []string
		for _, file := range files {
			out = append(out, "/v1/query "+file)
		}
		return out
	}
	return []class{
		{
			dir: "sync", setup: legacy("schema_setup.yaml"), teardown: legacy("schema_teardown.yaml"),
			values: "values_teardown.yaml", more: runSyncCode,
			cases: join(
				exact("null_response", "omitted_field_response_for_nullable_field", "expecting_object_response_got_null",
					"expecting_array_response_got_null", "get_scalar_action_output_type_success",
					"expecting_object_response_got_scalar", "get_string_scalar_array_action_output_type_success",
					"get_string_scalar_array_action_output_type_expecting_number_array",
					"get_null_field_expecting_non_nullable_field_array", "mirror_action_not_null",
					"mirror_action_unexpected_field", "mirror_action_no_field"),
				plain("scalar_response_action_transformed_output", "expecting_object_response_with_nested_null",
					"expecting_jsonb_response_success", "expecting_custom_scalar_response_success",
					"expecting_custom_scalar_array_response_success", "mirror_action_success", "mirror_action_transformed_success",
					"mirror_action_transformed_output_success", "results_list_transformed_output_success",
					"extensions_code_both_codes", "extensions_code_toplevel_empty_extensions",
					"extensions_code_toplevel_no_extensions", "extensions_code_only_extensions_code",
					"extensions_code_only_empty_extensions", "extensions_code_nothing", "get_user_by_email_fail",
					"query_action_recursive_output", "create_user_fail", "create_users_fail"),
				direct("", runOptions{exact: true}, "expecting_scalar_response_got_object"),
				direct("", runOptions{}, "object_response_action_transformed_output"),
				direct(insertOne, runOptions{}, "get_user_by_email_nested_success"),
				relationship("expecting_object_response", "expecting_array_response", "create_user_success",
					"create_users_success", "get_user_by_email_success", "get_users_by_email_success",
					"create_user_relationship_fail"),
				skipped("create_user_relationship", noTables+"object and array relationships of an action, aggregates"),
				skipped("get_user_by_email_nested_join_success", noTables+"a relationship inside a nested object"),
				skipped("query_action_relationship_with_permission",
					noTables+"insert_user_one, an object relationship, a select permission"),
			),
		},
		{
			dir: "sync/remote_joins", skip: noTables + "a relationship of an action, and a remote schema behind the table",
			cases: plain("action_with_remote_joins"),
		},
		{
			dir: "custom-types", setup: legacy("setup.yaml"), teardown: legacy("teardown.yaml"), before: geography,
			cases: plain("reuse_pgscalars", "reuse_unknown_pgscalar", "create_action_pg_scalar", "list_type_relationship",
				"drop_relationship"),
		},
		{
			dir: "metadata", setup: legacy("setup.yaml"), teardown: legacy("teardown.yaml"),
			cases: join(plain("recreate_permission"),
				// The file has a path from before the path began with the arguments.
				[]testCase{{name: "create_with_headers", runOptions: runOptions{anyPath: true}}}),
		},
		{
			dir: "nested-relation", setup: legacy("schema_setup.yaml"), teardown: legacy("schema_teardown.yaml"),
			cases: plain("create_async_action_with_nested_output_and_relation",
				"create_sync_action_with_nested_output_and_nested_relation"),
		},
		{
			dir: "introspection", setup: legacy("setup.yaml"), teardown: legacy("teardown.yaml"),
			cases: plain("introspection_query", "output_types_query"),
		},
		{
			dir: "introspection/function_return_type", skip: noTables + "tracked SQL functions in the schema",
			cases: plain("function_return_type"),
		},
		{
			dir: "relationships/basic", skip: noTables + "an object relationship of an action",
			cases: plain("query_with_relationships"),
		},
		{
			dir: "roles_inheritance", secretOnly: true,
			setup:    []string{"/v2/query schema_setup.yaml", "/v1/metadata setup.yaml"},
			teardown: []string{"/v1/metadata teardown.yaml", "/v2/query schema_teardown.yaml"}, values: "values_teardown.yaml",
			cases: direct("", runOptions{}, "multiple_parents_inheritance", "override_inherited_permission"),
		},
		{
			dir: "async", setup: legacy("schema_setup.yaml"), teardown: legacy("schema_teardown.yaml"), more: runAsyncCode,
		},
		{
			dir: "timeout", setup: legacy("schema_setup.yaml"), teardown: legacy("schema_teardown.yaml"), more: runTimeoutCode,
		},
	}
}
