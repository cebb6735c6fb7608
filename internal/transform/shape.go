package transform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nself-org/nself/internal/kriti"
)

// compiler reads the JSON of a transform. The first fault of form ends it; faults of templates are collected.
type compiler struct {
	shape  *ShapeError
	faults Errors
	// uses collects the variables that templates mention.
	uses map[string]bool
}

// variables are those that a template may mention.
func variables() []string {
	return []string{"$body", "$base_url", "$session_variables", "$query_params", "$request", "$response"}
}

func (c *compiler) fail(path, format string, args ...any) {
	if c.shape == nil {
		c.shape = &ShapeError{Path: path, Message: fmt.Sprintf(format, args...)}
	}
}

// err is the outcome of the compilation.
func (c *compiler) err() error {
	switch {
	case c.shape != nil:
		return c.shape
	case len(c.faults) > 0:
		return c.faults
	}
	return nil
}

// kindOf names the type of a JSON text as aeson does.
func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "Object"
	case '[':
		return "Array"
	case '"':
		return "String"
	case 't', 'f':
		return "Boolean"
	case 'n':
		return "Null"
	}
	return "Number"
}

// absent tells whether an optional value is missing or null.
func absent(raw json.RawMessage) bool { return len(raw) == 0 || raw[0] == 'n' }

// entry is a field of an object, in the order of the document.
type entry struct {
	name  string
	value json.RawMessage
}

// object reads an object; what names it in messages.
func (c *compiler) object(path, what string, raw json.RawMessage) []entry {
	raw = bytes.TrimSpace(raw)
	if !json.Valid(raw) {
		c.fail(path, "not valid JSON")
		return nil
	}
	if raw[0] != '{' {
		c.fail(path, "parsing %s failed, expected Object, but encountered %s", what, kindOf(raw))
		return nil
	}
	var entries []entry
	dec := json.NewDecoder(bytes.NewReader(raw))
	_, _ = dec.Token() // the brace, which is there
	for dec.More() {
		name, err := dec.Token()
		var value json.RawMessage
		if err == nil {
			err = dec.Decode(&value)
		}
		if err != nil {
			c.fail(path, "not valid JSON")
			return nil
		}
		text, _ := name.(string)
		entries = slices.DeleteFunc(entries, func(e entry) bool { return e.name == text })
		entries = append(entries, entry{text, value})
	}
	return entries
}

// find returns the value of a key; nil when it is missing.
func find(entries []entry, name string) json.RawMessage {
	for _, e := range entries {
		if e.name == name {
			return e.value
		}
	}
	return nil
}

// text reads a string.
func (c *compiler) text(path string, raw json.RawMessage) string {
	if raw[0] != '"' {
		c.fail(path, "parsing Text failed, expected String, but encountered %s", kindOf(raw))
		return ""
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		c.fail(path, "not valid JSON")
	}
	return s
}

// version reads the version of a transform: 1 unless given.
func (c *compiler) version(entries []entry) int {
	raw := find(entries, "version")
	if absent(raw) {
		return 1
	}
	var n int
	if err := json.Unmarshal(raw, &n); err != nil {
		c.fail(".version", "parsing Int failed, expected Number, but encountered %s", kindOf(raw))
		return 1
	}
	if n != 1 && n != 2 {
		c.fail(".version", "expected 1 or 2, encountered %d", n)
	}
	return n
}

// engine checks the template engine, of which there is one.
func (c *compiler) engine(entries []entry) {
	if raw := find(entries, "template_engine"); !absent(raw) {
		if name := c.text(".template_engine", raw); name != "Kriti" {
			c.fail(".template_engine", "expected Kriti, encountered %s", name)
		}
	}
}

// template parses a template that makes JSON.
func (c *compiler) template(src string) *kriti.Template { return c.compiled(kriti.Parse(src)) }

// unescaped parses a template that makes text and is written without quotes.
func (c *compiler) unescaped(src string) *kriti.Template {
	return c.compiled(kriti.ParseUnescaped(src))
}

func (c *compiler) compiled(t *kriti.Template, err error) *kriti.Template {
	if err != nil {
		c.faults = append(c.faults, err)
		return nil
	}
	for _, name := range variables() {
		if t.Uses(name) {
			c.uses[name] = true
		}
	}
	return t
}
