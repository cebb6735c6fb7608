package env

import "slices"

// Values returns every value in the order in which it is shown: the keys that nself knows by group, then all others by
// name.
func (c *Config) Values() []Value {
	values := make([]Value, 0, len(c.order))
	for _, key := range c.order {
		values = append(values, c.values[key])
	}
	return values
}

// Get returns the value of a key that nself knows or that a file sets.
func (c *Config) Get(key string) (Value, bool) {
	v, ok := c.values[key]
	return v, ok
}

// Explanation tells how a key got its value.
type Explanation struct {
	// Value is the winner.
	Value Value `json:"value"`
	// Shadowed are the values of weaker layers, strongest first.
	Shadowed []Value `json:"shadowed,omitempty"`
	// Default, Rule and Kind describe the key; they are empty for one that nself does not know.
	Default string `json:"default,omitempty"`
	Rule    string `json:"rule,omitempty"`
	Kind    Kind   `json:"kind,omitempty"`
	// Note says what becomes of the key where that is not plain; may be empty.
	Note string `json:"note,omitempty"`
}

// Explain tells how key got its value. False: nself does not know the key and no file sets it; the closest known
// name, if one is close, is in the explanation's Note.
func (c *Config) Explain(key string) (Explanation, bool) {
	v, ok := c.values[key]
	if !ok {
		if near := c.table.nearest(key); near != "" {
			return Explanation{Note: "did you mean " + near + "?"}, false
		}
		return Explanation{}, false
	}
	e := Explanation{Value: v, Shadowed: slices.Clone(c.layers[key])}
	e.Shadowed = slices.DeleteFunc(e.Shadowed, func(layer Value) bool { return layer.Source == v.Source })
	for i := range e.Shadowed {
		e.Shadowed[i].Secret = e.Shadowed[i].Secret || v.Secret
	}
	if k := c.table.find(key); k != nil {
		e.Default, e.Rule, e.Kind = k.Default, k.Rule, k.Kind
		return e, true
	}
	e.Note = c.unknownNote(key, v.Text)
	return e, true
}

// unknownNote says what becomes of a key that nself does not know.
func (c *Config) unknownNote(key, text string) string {
	if advice, ok := computed(key); ok {
		return "has no effect, nself works this value out; " + advice
	}
	if problem, hint := c.oldName(key, text); problem != "" {
		return problem + "; " + hint
	}
	if near := c.table.nearest(key); near != "" {
		return "nself does not know this name; did you mean " + near + "?"
	}
	if _, ok := c.Hasura.Extra[key]; ok {
		return "passed on to the GraphQL engine"
	}
	return "passed on to the function services and to the GraphQL engine"
}
