package action

import "github.com/vektah/gqlparser/v2/ast"

// Variable is a declared variable of an operation with the value of one request.
type Variable struct {
	Name    string
	Type    *ast.Type
	Default *ast.Value // nil: none
	// JSON is the text of the supplied value; "" when the request has none.
	JSON string
	// Omit leaves out the argument or input field that the variable stands for when it has neither a value nor a default
	// (Hasura's experimental feature no_null_unbound_variable_default). Otherwise it counts as null.
	Omit bool
}

// omitted tells whether v is a variable that leaves out what it stands for.
func (s Scope) omitted(v *ast.Value) bool {
	if v.Kind != ast.Variable {
		return false
	}
	variable := s.find(v.Raw)
	return variable != nil && variable.Omit && variable.JSON == "" && variable.Default == nil
}

// Scope holds the variables that a value may refer to. The zero value has none.
type Scope []Variable

// find returns the variable called name. Operations declare few, so a walk beats a map.
func (s Scope) find(name string) *Variable {
	for i := range s {
		if s[i].Name == name {
			return &s[i]
		}
	}
	return nil
}

// check refuses a variable whose declared type does not fit the place of its use (GraphQL, "All Variable Usages Are
// Allowed"). Names compare strictly: an Int variable does not fit a Float place.
func (v *Variable) check(place *TypeRef) *Error {
	fits := sameShape(place, v.Type)
	if place.NonNull && !v.Type.NonNull && (v.Default == nil || v.Default.Kind == ast.NullValue) {
		fits = false
	}
	if fits {
		return nil
	}
	return Invalid("variable '" + v.Name + "' is declared as '" + v.Type.String() + "', but used where '" +
		place.String() + "' is expected")
}

// sameShape compares types, nullability aside at this level.
func sameShape(place *TypeRef, declared *ast.Type) bool {
	if place.Elem == nil || declared.Elem == nil {
		return place.Elem == nil && declared.Elem == nil && place.Named.Name == declared.NamedType
	}
	if place.Elem.NonNull && !declared.Elem.NonNull {
		return false
	}
	return sameShape(place.Elem, declared.Elem)
}
