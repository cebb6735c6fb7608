package actioncheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/nself-org/nself/internal/metadata"
)

// Mismatch is one place of an answer that is not of the declared type.
type Mismatch struct {
	// Path leads there from the answer, such as "lines[0].cents"; empty: the answer itself.
	Path string
	// Text says what was declared and what came.
	Text string
}

// String returns path and text.
func (m Mismatch) String() string {
	if m.Path == "" {
		return "the answer " + m.Text
	}
	return "field " + m.Path + " " + m.Text
}

// maxMismatches bounds what is said about one answer.
const maxMismatches = 20

// Answer compares a handler's answer with the action's output type, all the way down: Hasura itself looks at the first level
// only. Fields that the type does not have are no mismatch: they are ignored. A body that is no JSON is an error.
func Answer(types *metadata.CustomTypes, a *metadata.Action, body []byte) ([]Mismatch, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("the answer is not JSON: %w", err)
	}
	ref, err := metadata.ParseType(a.Definition.OutputType)
	if err != nil {
		return nil, err
	}
	c := &answerCheck{types: types}
	c.value("", v, true, ref)
	return c.found, nil
}

type answerCheck struct {
	types *metadata.CustomTypes
	found []Mismatch
}

func (c *answerCheck) add(path, format string, args ...any) {
	if len(c.found) < maxMismatches {
		c.found = append(c.found, Mismatch{path, fmt.Sprintf(format, args...)})
	}
}

func (c *answerCheck) value(path string, v any, present bool, ref *metadata.TypeRef) {
	switch {
	case v == nil && ref.NonNull && !present:
		c.add(path, "is missing, and declared as %s", ref)
	case v == nil && ref.NonNull:
		c.add(path, "is null, and declared as %s", ref)
	case v == nil:
	case ref.Elem != nil:
		list, ok := v.([]any)
		if !ok {
			c.add(path, "is %s, and declared as the list %s", kindOf(v), ref)
			return
		}
		for i, item := range list {
			c.value(path+"["+strconv.Itoa(i)+"]", item, true, ref.Elem)
		}
	default:
		c.named(path, v, ref.Name)
	}
}

func (c *answerCheck) named(path string, v any, name string) {
	for _, e := range c.types.Enums {
		if e.Name != name {
			continue
		}
		text, ok := v.(string)
		if !ok || !slices.ContainsFunc(e.Values, func(known metadata.EnumValue) bool { return known.Value == text }) {
			c.add(path, "is %s, which is no value of enum %s", shown(v), name)
		}
		return
	}
	for _, o := range c.types.Objects {
		if o.Name != name {
			continue
		}
		object, ok := v.(map[string]any)
		if !ok {
			c.add(path, "is %s, and declared as %s", kindOf(v), name)
			return
		}
		for _, f := range o.Fields {
			ref, err := metadata.ParseType(f.Type)
			if err != nil {
				continue
			}
			child := f.Name
			if path != "" {
				child = path + "." + f.Name
			}
			value, present := object[f.Name]
			c.value(child, value, present, ref)
		}
		return
	}
	if !fits(v, name) {
		c.add(path, "is %s, and declared as %s", shown(v), name)
	}
}

// fits checks GraphQL's own scalars; others are passed on as they come.
func fits(v any, name string) bool {
	switch name {
	case "Int":
		n, ok := v.(json.Number)
		if !ok {
			return false
		}
		_, err := strconv.ParseInt(n.String(), 10, 32)
		return err == nil
	case "Float":
		_, ok := v.(json.Number)
		return ok
	case "Boolean":
		_, ok := v.(bool)
		return ok
	case "String":
		_, ok := v.(string)
		return ok
	case "ID":
		switch v.(type) {
		case string, json.Number:
			return true
		}
		return false
	}
	return true
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "null"
}

// shown is a short value itself, and the kind of a long one.
func shown(v any) string {
	switch v := v.(type) {
	case string:
		if len(v) <= 40 {
			return strconv.Quote(v)
		}
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return kindOf(v)
}
