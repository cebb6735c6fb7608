package transform

import (
	"encoding/json"

	"github.com/nself-org/nself/internal/kriti"
)

// bodyAction is what a transform does with a body.
type bodyAction uint8

const (
	keepBody bodyAction = iota
	makeBody
	removeBody
	formBody
)

// body is the transform of a body.
type body struct {
	action   bodyAction
	template *kriti.Template // of makeBody
	form     []param         // of formBody
}

// param is a named value of a form or a query string.
type param struct {
	name  *kriti.Template // nil: text
	text  string
	value *kriti.Template // nil: none
}

// body compiles the body of either version: a template, or an object with an action.
func (c *compiler) body(version int, raw json.RawMessage) body {
	if absent(raw) {
		return body{}
	}
	if version == 1 {
		return body{action: makeBody, template: c.template(c.text(".body", raw))}
	}
	entries := c.object(".body", "BodyTransformFn", raw)
	if c.shape != nil {
		return body{}
	}
	required := func(name string) json.RawMessage {
		value := find(entries, name)
		if value == nil {
			c.fail(".body", "key %q not found", name)
		}
		return value
	}
	action := required("action")
	if action == nil {
		return body{}
	}
	switch name := c.text(".body.action", action); name {
	case "remove":
		return body{action: removeBody}
	case "transform":
		if template := required("template"); template != nil {
			return body{action: makeBody, template: c.template(c.text(".body.template", template))}
		}
	case "x_www_form_urlencoded":
		if form := required("form_template"); form != nil {
			return body{action: formBody, form: c.form(form)}
		}
	default:
		c.fail(".body", "invalid transform action")
	}
	return body{}
}

func (c *compiler) form(raw json.RawMessage) []param {
	var params []param
	for _, e := range c.object(".body.form_template", "HashMap", raw) {
		value := c.text(".body.form_template."+e.name, e.value)
		params = append(params, param{text: e.name, value: c.unescaped(value)})
	}
	return params
}

// apply returns the transformed body.
func (b *body) apply(original []byte, scope *kriti.Scope) ([]byte, Errors) {
	switch b.action {
	case makeBody:
		v, err := b.template.Eval(scope)
		if err != nil {
			return nil, Errors{err}
		}
		return v.AppendJSON(nil), nil
	case removeBody:
		return nil, nil
	case formBody:
		text, errs := encodeParams(b.form, scope)
		return []byte(text), errs
	}
	return original, nil
}

// encodeParams renders parameters as name=value&name. One whose name or value renders to "null" is left out.
func encodeParams(params []param, scope *kriti.Scope) (string, Errors) {
	var (
		text []byte
		errs Errors
	)
	render := func(t *kriti.Template, fallback string) string {
		if t == nil {
			return fallback
		}
		s, err := renderText(t, scope)
		if err != nil {
			errs = append(errs, err)
		}
		return s
	}
	for _, p := range params {
		name, value := render(p.name, p.text), render(p.value, "")
		if name == "null" && p.name != nil || value == "null" {
			continue
		}
		if len(text) > 0 {
			text = append(text, '&')
		}
		text = append(text, kriti.EscapeURI(name)...)
		if p.value != nil {
			text = append(text, '=')
			text = append(text, kriti.EscapeURI(value)...)
		}
	}
	return string(text), errs
}
