package metadata

import (
	"bytes"
	"encoding/json"
	"strings"
)

// UnmarshalJSON reads a whole document of version 3. A wrong shape is a *[ShapeError] whose path begins with $.
func (m *Metadata) UnmarshalJSON(data []byte) error {
	md, err := decodeDocument(value{path: "$", raw: data})
	if err != nil {
		return err
	}
	*m = *md
	return nil
}

// ParseDocument reads a whole document that stands at path in a request. The error is a *[ShapeError]; for text that
// is not JSON it is json's.
func ParseDocument(data []byte, path string) (*Metadata, error) {
	return parse(data, path, decodeDocument)
}

// ParseAction reads an action object: name, definition, comment, permissions.
func ParseAction(data []byte, path string) (Action, error) { return parse(data, path, decodeAction) }

// ParseDefinition reads an action's definition.
func ParseDefinition(data []byte, path string) (ActionDefinition, error) {
	return parse(data, path, decodeDefinition)
}

// ParseCustomTypes reads a custom types object.
func ParseCustomTypes(data []byte, path string) (CustomTypes, error) {
	return parse(data, path, decodeCustomTypes)
}

func parse[T any](data []byte, path string, read func(value) (T, *ShapeError)) (T, error) {
	var zero T
	var probe json.RawMessage // is it JSON?
	if err := json.Unmarshal(data, &probe); err != nil {
		return zero, err
	}
	out, err := read(value{path: path, raw: data})
	if err != nil {
		return zero, err
	}
	return out, nil
}

func decodeDocument(v value) (*Metadata, *ShapeError) {
	o, err := v.object("Metadata")
	if err != nil {
		return nil, err
	}
	m := &Metadata{Version: 3}
	if ver := o.get("version"); !ver.null() {
		n, err := ver.integer()
		if err != nil {
			return nil, err
		}
		if n != 3 {
			return nil, ver.errorf("expected 3, encountered %d", n)
		}
	}
	actions := o.get("actions")
	var names, roles []string
	err = steps(
		set(&m.Actions, func() ([]Action, *ShapeError) { return listOf(actions, decodeAction) }),
		set(&m.CustomTypes, opt1(o, "custom_types", decodeCustomTypes)),
		set(&m.InheritedRoles, opt1(o, "inherited_roles", decodeInheritedRoles)),
	)
	if err != nil {
		return nil, err
	}
	for _, a := range m.Actions {
		names = append(names, a.Name)
	}
	for _, r := range m.InheritedRoles {
		roles = append(roles, r.RoleName)
	}
	if err := v.rejectDuplicates("actions", names); err != nil {
		return nil, err
	}
	if err := v.rejectDuplicates("inherited roles", roles); err != nil {
		return nil, err
	}
	for key, raw := range o.fields {
		switch key {
		case "version", "actions", "custom_types", "inherited_roles":
			continue
		}
		if isEmptyJSON(raw) {
			continue
		}
		if m.Rest == nil {
			m.Rest = map[string]json.RawMessage{}
		}
		m.Rest[key] = bytes.Clone(raw)
	}
	return m, nil
}

func decodeAction(v value) (Action, *ShapeError) {
	var a Action
	o, err := v.object("ActionMetadata")
	if err != nil {
		return a, err
	}
	err = steps(
		set(&a.Name, need1(o, "name", value.name)),
		set(&a.Comment, opt1(o, "comment", value.optText)),
		set(&a.Definition, need1(o, "definition", decodeDefinition)),
		set(&a.Permissions, opt1(o, "permissions", decodePermissions)),
	)
	return a, err
}

func decodePermissions(v value) ([]Permission, *ShapeError) {
	perms, err := listOf(v, func(item value) (Permission, *ShapeError) {
		var p Permission
		o, err := item.object("ActionPermissionMetadata")
		if err != nil {
			return p, err
		}
		err = steps(set(&p.Role, need1(o, "role", value.text)), set(&p.Comment, opt1(o, "comment", value.optText)))
		if err == nil && p.Role == "" {
			err = o.get("role").errorf("empty string not allowed")
		}
		return p, err
	})
	if err != nil {
		return nil, err
	}
	var roles []string
	for _, p := range perms {
		roles = append(roles, p.Role)
	}
	return perms, v.rejectDuplicates("permissions", roles)
}

func decodeDefinition(v value) (ActionDefinition, *ShapeError) {
	var d ActionDefinition
	o, err := v.object("ActionDefinition")
	if err != nil {
		return d, err
	}
	err = steps(
		set(&d.Handler, need1(o, "handler", value.text)),
		set(&d.OutputType, need1(o, "output_type", value.typeString)),
		set(&d.Arguments, opt1(o, "arguments", decodeArguments)),
		set(&d.Headers, opt1(o, "headers", decodeHeaders)),
		set(&d.ForwardClientHeaders, opt1(o, "forward_client_headers", value.boolean)),
		set(&d.IgnoredClientHeaders, opt1(o, "ignored_client_headers", decodeTexts)),
		set(&d.Timeout, opt1(o, "timeout", decodeTimeout)),
		set(&d.RequestTransform, opt1(o, "request_transform", decodeRequestTransform)),
		set(&d.ResponseTransform, opt1(o, "response_transform", decodeResponseTransform)),
		set(&d.Type, opt1(o, "type", decodeType)),
		func() (err *ShapeError) {
			if d.Type == Mutation { // Hasura reads the kind of a mutation only
				d.Kind, err = decodeKind(o.get("kind"))
			}
			return err
		},
	)
	return d, err
}

func decodeTexts(v value) ([]string, *ShapeError) {
	list, err := listOf(v, value.text)
	if list == nil && err == nil && !v.null() {
		list = []string{} // an empty list replaces the default one
	}
	return list, err
}

func decodeTimeout(v value) (int, *ShapeError) {
	if v.null() {
		return 0, nil
	}
	n, err := v.integer()
	if err == nil && n < 0 {
		err = v.errorf("timeout value cannot be negative")
	}
	if n == DefaultTimeout {
		n = 0
	}
	return n, err
}

func decodeType(v value) (ActionType, *ShapeError) {
	if v.null() {
		return Mutation, nil
	}
	s, err := v.text()
	if err == nil && s != string(Mutation) && s != string(Query) {
		err = v.errorf("expected mutation or query, but found %s", s)
	}
	return ActionType(s), err
}

func decodeKind(v value) (ActionKind, *ShapeError) {
	if v.null() {
		return Synchronous, nil
	}
	s, err := v.text()
	if err == nil && s != string(Synchronous) && s != string(Asynchronous) {
		err = v.errorf("expected synchronous or asynchronous, but found %s", s)
	}
	return ActionKind(s), err
}

func decodeArguments(v value) ([]Argument, *ShapeError) {
	return listOf(v, func(item value) (Argument, *ShapeError) {
		var a Argument
		o, err := item.object("ArgumentDefinition")
		if err != nil {
			return a, err
		}
		err = steps(
			set(&a.Name, need1(o, "name", value.name)),
			set(&a.Type, need1(o, "type", value.typeString)),
			set(&a.Description, opt1(o, "description", value.optText)),
		)
		return a, err
	})
}

func decodeHeaders(v value) ([]Header, *ShapeError) {
	return listOf(v, func(item value) (Header, *ShapeError) {
		var h Header
		if item.kind() != "Object" {
			return h, item.errorf("expecting object for headers")
		}
		o, err := item.object("HeaderConf")
		if err != nil {
			return h, err
		}
		val, env := o.get("value"), o.get("value_from_env")
		err = steps(
			set(&h.Name, need1(o, "name", value.text)),
			set(&h.Value, val.optText),
			set(&h.ValueFromEnv, env.optText),
		)
		switch {
		case err != nil:
		case val.null() && env.null():
			err = item.errorf("expecting value or value_from_env keys")
		case !val.null() && !env.null():
			err = item.errorf("expecting only one of value or value_from_env keys")
		case strings.HasPrefix(h.ValueFromEnv, forbiddenEnvPrefix):
			err = item.errorf("env variables starting with \"HASURA_GRAPHQL_\" are not allowed in value_from_env: %s",
				h.ValueFromEnv)
		}
		return h, err
	})
}

// forbiddenEnvPrefix marks Hasura's own settings, among them its admin secret, which must not leak into headers.
const forbiddenEnvPrefix = "HASURA_GRAPHQL_"

// DefaultTimeout is Hasura's timeout of a handler's call in seconds, for an action that sets none.
const DefaultTimeout = 30

func decodeRequestTransform(v value) (json.RawMessage, *ShapeError) {
	return decodeTransform(v, func(o object) *ShapeError {
		headers := o.get("request_headers")
		return steps(
			func() *ShapeError { _, err := o.get("method").optText(); return err },
			func() *ShapeError { _, err := o.get("url").optText(); return err },
			func() *ShapeError {
				q := o.get("query_params")
				if q.null() || q.kind() == "String" {
					return nil
				}
				return q.texts("HashMap", true)
			},
			func() *ShapeError {
				if headers.null() {
					return nil
				}
				h, err := headers.object("TransformHeaders")
				if err != nil {
					return err
				}
				if add := h.get("add_headers"); !add.null() {
					if err := add.texts("HashMap", false); err != nil {
						return err
					}
				}
				_, err = listOf(h.get("remove_headers"), value.text)
				return err
			},
		)
	})
}

func decodeResponseTransform(v value) (json.RawMessage, *ShapeError) {
	return decodeTransform(v, func(object) *ShapeError { return nil })
}

// decodeTransform checks what both transforms share, and keeps the JSON as it is.
func decodeTransform(v value, more func(object) *ShapeError) (json.RawMessage, *ShapeError) {
	if v.null() {
		return nil, nil
	}
	o, err := v.object("MetadataTransform")
	if err != nil {
		return nil, err
	}
	version := 1
	if ver := o.get("version"); !ver.null() {
		if version, err = ver.integer(); err != nil {
			return nil, err
		}
		if version != 1 && version != 2 {
			return nil, ver.errorf("expected 1 or 2, encountered %d", version)
		}
	}
	if engine := o.get("template_engine"); !engine.null() {
		name, err := engine.text()
		if err != nil {
			return nil, err
		}
		if name != "Kriti" {
			return nil, engine.errorf("expected \"Kriti\", encountered %q", name)
		}
	}
	if err := o.get("body").transformBody(version); err != nil {
		return nil, err
	}
	return bytes.Clone(v.raw), more(o)
}

func (v value) transformBody(version int) *ShapeError {
	if v.null() {
		return nil
	}
	if version == 1 {
		_, err := v.text()
		return err
	}
	o, err := v.object("BodyTransform")
	if err != nil {
		return err
	}
	action, err := field(o, "action", value.text)
	if err != nil {
		return err
	}
	switch action {
	case "remove":
		return nil
	case "transform":
		_, err = field(o, "template", value.text)
		return err
	case "x_www_form_urlencoded":
		form, err := o.need("form_template")
		if err != nil {
			return err
		}
		return form.texts("HashMap", false)
	default:
		return o.get("action").errorf("invalid transform action")
	}
}

// texts checks an object whose values are strings, or null where that is allowed.
func (v value) texts(goal string, nullable bool) *ShapeError {
	o, err := v.object(goal)
	if err != nil {
		return err
	}
	for _, key := range sortedKeys(o.fields) {
		item := o.get(key)
		if nullable && item.null() {
			continue
		}
		if _, err := item.text(); err != nil {
			return err
		}
	}
	return nil
}

func decodeInheritedRoles(v value) ([]InheritedRole, *ShapeError) {
	return listOf(v, func(item value) (InheritedRole, *ShapeError) {
		var r InheritedRole
		o, err := item.object("Role")
		if err != nil {
			return r, err
		}
		err = steps(
			set(&r.RoleName, need1(o, "role_name", value.text)),
			set(&r.RoleSet, need1(o, "role_set", func(v value) ([]string, *ShapeError) { return listOf(v, value.text) })),
		)
		return r, err
	})
}

func parseInheritedRoles(data []byte, path string) ([]InheritedRole, *ShapeError) {
	return decodeInheritedRoles(value{path: path, raw: data})
}

func isEmptyJSON(raw json.RawMessage) bool {
	switch string(bytes.Join(bytes.Fields(raw), nil)) {
	case "", "null", "[]", "{}":
		return true
	}
	return false
}
