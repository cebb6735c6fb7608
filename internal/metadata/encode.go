package metadata

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// documentKeys is the order of the document's keys in Hasura's export.
var documentKeys = []string{
	"version", "sources", "remote_schemas", "query_collections", "allowlist", "actions", "custom_types", "cron_triggers",
	"rest_endpoints", "api_limits", "metrics_config", "inherited_roles", "graphql_schema_introspection", "network",
	"backend_configs", "opentelemetry",
}

// DefaultIgnoredClientHeaders are the client's headers that Hasura does not forward, for an action that lists none.
func DefaultIgnoredClientHeaders() []string {
	return []string{
		"Content-Length", "Content-MD5", "User-Agent", "Host", "Origin", "Referer", "Accept", "Accept-Encoding",
		"Accept-Language", "Accept-Datetime", "Cache-Control", "Connection", "DNT", "Content-Type",
	}
}

// MarshalJSON writes the document in the normal form of Hasura's export: keys in its order, actions sorted by name,
// defaults and empty parts left out.
func (m *Metadata) MarshalJSON() ([]byte, error) {
	values := map[string]json.RawMessage{"version": []byte("3"), "sources": []byte("[]")}
	for key, raw := range m.Rest {
		if !isEmptyJSON(raw) {
			values[key] = raw
		}
	}
	if len(m.Actions) > 0 {
		actions := slices.Clone(m.Actions)
		slices.SortStableFunc(actions, func(a, b Action) int { return strings.Compare(a.Name, b.Name) })
		values["actions"] = encodeList(actions, encodeAction)
	}
	if types := encodeCustomTypes(m.CustomTypes); len(types) > len("{}") {
		values["custom_types"] = types
	}
	if len(m.InheritedRoles) > 0 {
		values["inherited_roles"] = encodeList(m.InheritedRoles, func(r InheritedRole) []byte {
			if r.RoleSet == nil {
				r.RoleSet = []string{}
			}
			return mustJSON(r)
		})
	}
	var w jsonObject
	for _, key := range documentKeys {
		if raw, ok := values[key]; ok {
			w.raw(key, raw)
			delete(values, key)
		}
	}
	for _, key := range sortedKeys(values) {
		w.raw(key, values[key])
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, w.bytes()); err != nil {
		return nil, err
	}
	return compact.Bytes(), nil
}

// MarshalJSON writes the action in Hasura's normal form.
func (a Action) MarshalJSON() ([]byte, error) { return encodeAction(a), nil }

// MarshalJSON writes the definition in Hasura's normal form.
func (d ActionDefinition) MarshalJSON() ([]byte, error) { return encodeDefinition(d), nil }

// jsonObject writes an object with its keys in the order of the calls.
type jsonObject struct{ b bytes.Buffer }

func (w *jsonObject) raw(key string, v []byte) {
	sep := byte(',')
	if w.b.Len() == 0 {
		sep = '{'
	}
	w.b.WriteByte(sep)
	w.b.Write(mustJSON(key))
	w.b.WriteByte(':')
	w.b.Write(v)
}

func (w *jsonObject) put(key string, v any) { w.raw(key, mustJSON(v)) }

// text writes a string that is there.
func (w *jsonObject) text(key, v string) {
	if v != "" {
		w.put(key, v)
	}
}

func (w *jsonObject) bytes() []byte {
	if w.b.Len() == 0 {
		return []byte("{}")
	}
	return append(bytes.Clone(w.b.Bytes()), '}')
}

func encodeList[T any](items []T, encode func(T) []byte) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encode(item))
	}
	b.WriteByte(']')
	return b.Bytes()
}

func encodeAction(a Action) []byte {
	var w jsonObject
	w.put("name", a.Name)
	w.raw("definition", encodeDefinition(a.Definition))
	w.text("comment", a.Comment)
	if len(a.Permissions) > 0 {
		w.raw("permissions", encodeList(a.Permissions, func(p Permission) []byte { return mustJSON(p) }))
	}
	return w.bytes()
}

func encodeDefinition(d ActionDefinition) []byte {
	var w jsonObject
	w.put("handler", d.Handler)
	w.put("output_type", d.OutputType)
	if d.ForwardClientHeaders {
		w.put("forward_client_headers", true)
	}
	ignored := d.IgnoredClientHeaders
	if ignored == nil {
		ignored = DefaultIgnoredClientHeaders()
	}
	w.put("ignored_client_headers", ignored)
	if len(d.Headers) > 0 {
		w.raw("headers", encodeList(d.Headers, encodeHeader))
	}
	if len(d.Arguments) > 0 {
		w.raw("arguments", encodeList(d.Arguments, func(a Argument) []byte { return mustJSON(a) }))
	}
	if len(d.RequestTransform) > 0 {
		w.raw("request_transform", d.RequestTransform)
	}
	if len(d.ResponseTransform) > 0 {
		w.raw("response_transform", d.ResponseTransform)
	}
	if d.Type == Query {
		w.put("type", Query)
	} else {
		w.put("type", Mutation)
		kind := d.Kind
		if kind == "" {
			kind = Synchronous
		}
		w.put("kind", kind)
	}
	if d.Timeout != 0 && d.Timeout != DefaultTimeout {
		w.put("timeout", d.Timeout)
	}
	return w.bytes()
}

// encodeHeader always writes one of the two value keys: an empty value is a value.
func encodeHeader(h Header) []byte {
	var w jsonObject
	w.put("name", h.Name)
	if h.ValueFromEnv != "" {
		w.put("value_from_env", h.ValueFromEnv)
	} else {
		w.put("value", h.Value)
	}
	return w.bytes()
}

func encodeCustomTypes(ct CustomTypes) []byte {
	var w jsonObject
	if len(ct.InputObjects) > 0 {
		w.raw("input_objects", encodeList(ct.InputObjects, func(t InputObject) []byte { return mustJSON(t) }))
	}
	if len(ct.Objects) > 0 {
		w.raw("objects", encodeList(ct.Objects, encodeObject))
	}
	if len(ct.Scalars) > 0 {
		w.raw("scalars", encodeList(ct.Scalars, func(t Scalar) []byte { return mustJSON(t) }))
	}
	if len(ct.Enums) > 0 {
		w.raw("enums", encodeList(ct.Enums, func(t Enum) []byte { return mustJSON(t) }))
	}
	return w.bytes()
}

// encodeObject writes relationships in the normal form where they can be read, and as they are where not.
func encodeObject(t Object) []byte {
	if rels, err := t.ParseRelationships(); err == nil {
		t.Relationships = nil
		if len(rels) > 0 {
			t.Relationships = mustJSON(rels)
		}
	}
	return mustJSON(t)
}
