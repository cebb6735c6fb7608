package codegen

import (
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/metadata"
)

var (
	pyKeywords = []string{
		"False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
		"elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
		"not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
	}
	// pyFieldTaken are attributes of pydantic's models, and the names that annotations are made of: within a class, a
	// field of such a name would stand before them.
	pyFieldTaken = []string{
		"construct", "copy", "dict", "from_orm", "json", "parse_file", "parse_obj", "parse_raw", "schema", "schema_json",
		"update_forward_refs", "validate", "model_computed_fields", "model_config", "model_construct", "model_copy",
		"model_dump", "model_dump_json", "model_extra", "model_fields", "model_fields_set", "model_json_schema",
		"model_parametrized_name", "model_post_init", "model_rebuild", "model_validate", "model_validate_json",
		"model_validate_strings", "bool", "float", "int", "list", "str", "graphql", "pydantic", "typing",
	}
	// pyModuleTaken are modules of the template that are not named like the action which they serve.
	pyModuleTaken = []string{
		"accept_invitation", "actions_gen", "bulk_create_users_mail", "deps", "job_answers", "payment", "payment_rules",
		"register_user_mail", "register_user_rules", "types_gen", "verify_email",
	}
)

// pyStem turns a GraphQL name into the stem of a class's name: registerUser becomes RegisterUser.
func pyStem(name string) string {
	s := metadata.Pascal(name)
	if s == "" || s[0] < 'A' || s[0] > 'Z' || slices.Contains(pyKeywords, s) {
		return "X" + s
	}
	return s
}

// pyTypeName names the class of a GraphQL type: as it is, where that is how Python spells classes.
func pyTypeName(name string) string {
	if name[0] >= 'A' && name[0] <= 'Z' && !strings.Contains(name, "_") && !slices.Contains(pyKeywords, name) {
		return name
	}
	return pyStem(name)
}

// pyConst names a value of an enum: aB becomes A_B. Capitals are clear of keywords and of what text can do.
func pyConst(value string) string {
	s := strings.ToUpper(metadata.Snake(value))
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return "X" + s
	}
	return s
}

// PyFile names the file of an action's handler, relative to the service's folder: actions/register_user.py. A name that
// Python or the template needs gets a further word: the action import is in actions/import_action.py.
func PyFile(action string) string { return "actions/" + pyModule(action) + ".py" }

// PyTestFile names the file of the handler's test.
func PyTestFile(action string) string { return "tests/test_" + pyModule(action) + ".py" }

func pyModule(action string) string {
	s := metadata.Snake(action)
	switch {
	case s == "" || s[0] >= '0' && s[0] <= '9':
		return strings.TrimSuffix("action_"+s, "_")
	case slices.Contains(pyKeywords, s) || slices.Contains(pyModuleTaken, s):
		return s + "_action"
	}
	return s
}

// pyFieldNames names the fields of a class. A field keeps its GraphQL name wherever that is possible; the others must
// not take the name of one that does, because a name is accepted beside its alias.
func pyFieldNames(fields []pyField, classes namer) []string {
	names := make([]string, len(fields))
	taken := newNamer()
	for i, f := range fields {
		taken.reserve(f.graphql)
		if f.graphql[0] != '_' && !pyReserved(f.graphql) && !classes[f.graphql] {
			names[i] = f.graphql
		}
	}
	for i, f := range fields {
		if names[i] != "" {
			continue
		}
		name := strings.TrimLeft(f.graphql, "_")
		if name == "" || name[0] >= '0' && name[0] <= '9' {
			name = "field" + name
		}
		if pyReserved(name) || classes[name] {
			name += "_"
		}
		names[i] = taken.take(name)
	}
	return names
}

func pyReserved(name string) bool {
	return slices.Contains(pyKeywords, name) || slices.Contains(pyFieldTaken, name)
}
