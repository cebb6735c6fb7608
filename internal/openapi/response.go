package openapi

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// answer is what an operation answers with when it goes well.
type answer struct {
	name  string
	typ   string // GraphQL type of the action
	shape *shape // nil: nothing, the action answers true
	notes []string
}

// response finds the answer of the first status that means success.
func (c *converter) response(name string, op *openapi3.Operation) (*answer, error) {
	a := &answer{name: name}
	var found *openapi3.Response
	if op.Responses != nil {
		for _, status := range sortedKeys(op.Responses.Map()) {
			if strings.HasPrefix(status, "2") || status == "default" && found == nil {
				if ref := op.Responses.Value(status); ref != nil && ref.Value != nil {
					found = ref.Value
					break
				}
			}
		}
	}
	if found == nil || len(found.Content) == 0 {
		a.typ = "Boolean!"
		return a, nil
	}
	media, kind := pick(found.Content)
	if kind != mediaJSON {
		return nil, &impossibleError{"it answers " + strings.Join(sortedKeys(found.Content), ", ")}
	}
	a.shape = c.types.of(media.Schema, name+" result", false)
	if base := a.shape; base.kind == enumShape || base.kind == listShape && base.elem.kind == enumShape {
		a.typ = strings.ReplaceAll(a.shape.typ(false), baseName(base), "String") // an action cannot return an enum
		return a, nil
	}
	a.typ = a.shape.typ(false)
	return a, nil
}

func baseName(s *shape) string {
	for s.kind == listShape {
		s = s.elem
	}
	return s.name
}

// transform is the response transform: the answer under its GraphQL names, and failures as Hasura expects them.
func (a *answer) transform() (json.RawMessage, error) {
	value := "true"
	if a.shape != nil {
		var full bool
		if value, full = carry(a.shape, "$body", inward); !full {
			a.notes = append(a.notes, "fields with names that GraphQL does not have are null inside types that contain themselves")
		}
	}
	template := fmt.Sprintf(`{{ if $response.status < 400 }} %s {{ else }} `+
		`{ "message": {{ $body?.message ?? $body?.error?.message ?? $body?.detail ?? $body?.title ?? %q }}, `+
		`"extensions": { "code": "api-error", "status": {{ $response.status }} } } {{ end }}`,
		value, a.name+": the API refused the call")
	template = chained(template)
	return json.Marshal(struct {
		Version int           `json:"version"`
		Engine  string        `json:"template_engine"`
		Body    bodyTransform `json:"body"`
	}{2, "Kriti", bodyTransform{Action: "transform", Template: template}})
}

// chained puts brackets around a chain of ??, which Kriti's operators need.
func chained(template string) string {
	start := strings.Index(template, "$body?.message ??")
	end := strings.Index(template[start:], " }},") + start
	parts := strings.Split(template[start:end], " ?? ")
	expr := parts[len(parts)-1]
	for i := len(parts) - 2; i >= 0; i-- {
		expr = parts[i] + " ?? " + expr
		if i > 0 {
			expr = "(" + expr + ")"
		}
	}
	return template[:start] + expr + template[end:]
}

// direction says which of a member's names is read and which is written.
type direction int

const (
	inward  direction = iota // from the API to GraphQL
	outward                  // from GraphQL to the API
)

// carry is a template that copies a value of a shape from one side's names to the other's. Where all names are the same it is
// the value itself. full is false where a type that contains itself has fields that are left as they are.
func carry(s *shape, from string, d direction) (template string, full bool) {
	w := &carrier{direction: d, full: true}
	return w.value(s, from, 0), w.full
}

type carrier struct {
	direction direction
	full      bool
}

func (w *carrier) value(s *shape, from string, depth int) string {
	switch {
	case !s.renamed():
		return "{{ " + from + " }}"
	case s.recursive():
		w.full = false
		return "{{ " + from + " }}"
	case s.kind == listShape:
		x := fmt.Sprintf("x%d", depth)
		return fmt.Sprintf("{{ if %[1]s == null }} null {{ else }} {{ range _, %[2]s := %[1]s }} %[3]s {{ end }} {{ end }}",
			from, x, w.value(s.elem, x, depth+1))
	}
	var fields []string
	for _, m := range s.members {
		read, write := m.json, m.graphql
		if w.direction == outward {
			read, write = m.graphql, m.json
		}
		at := from + "?." + read
		if !isName(read) {
			at = from + "?['" + read + "']"
		}
		key, _ := json.Marshal(write) // a string always encodes
		if w.direction == outward {   // what the caller left out is left out
			fields = append(fields, fmt.Sprintf("{{ if %s == null }} {} {{ else }} { %s: %s } {{ end }}", at, key, w.value(m.shape, at, depth+1)))
			continue
		}
		fields = append(fields, fmt.Sprintf("%s: %s", key, w.value(m.shape, at, depth+1)))
	}
	object := "{ " + strings.Join(fields, ", ") + " }"
	if w.direction == outward {
		object = "{{ concat([" + strings.Join(fields, ", ") + "]) }}"
	}
	return fmt.Sprintf("{{ if %s == null }} null {{ else }} %s {{ end }}", from, object)
}
