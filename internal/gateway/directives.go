package gateway

import (
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/nself-org/nself/internal/action"
)

// booleanArgument is Boolean!, the type of the argument of @skip and @include.
var booleanArgument = []*action.Field{{
	Name: "if",
	Type: &action.TypeRef{NonNull: true, Named: &action.Type{Kind: action.BuiltinScalar, Name: "Boolean"}},
}}

// included checks the directives of a selection and tells whether it is to be executed. place is Hasura's word for
// where the directives stand.
func (c *compiler) included(directives ast.DirectiveList, place string) (bool, *action.Error) {
	keep := true
	var seen [2]bool
	for _, d := range directives {
		switch d.Name {
		case "skip", "include":
		case "cached":
			return false, invalid("directive 'cached' is not allowed on " + place)
		default:
			return false, invalid("directive '" + d.Name + "' is not defined in the schema")
		}
		isSkip := d.Name == "skip"
		condition, err := c.condition(d)
		if err != nil {
			return false, err
		}
		i := 0
		if isSkip {
			i = 1
		}
		if seen[i] {
			return false, invalid("the following directives are used more than once: ['" + d.Name + "']")
		}
		seen[i] = true
		if condition == isSkip {
			keep = false
		}
	}
	return keep, nil
}

// condition reads the argument of @skip or @include.
func (c *compiler) condition(d *ast.Directive) (bool, *action.Error) {
	for _, arg := range d.Arguments {
		if arg.Name != "if" {
			return false, invalid("'" + d.Name + "' has no argument named '" + arg.Name + "'").Under(d.Name)
		}
	}
	var err *action.Error
	c.buf, err = action.CoerceFields(c.buf[:0], booleanArgument, argument(d.Arguments), c.scope)
	if err != nil {
		return false, err.Under("args").Under(d.Name)
	}
	return string(c.buf) == `{"if":true}`, nil
}

// cachedArguments are those of @cached, both with a default value.
func cachedArguments() []*action.Field {
	return []*action.Field{
		{Name: "ttl", Type: &action.TypeRef{Named: &action.Type{Kind: action.BuiltinScalar, Name: "Int"}}},
		{Name: "refresh", Type: &action.TypeRef{Named: &action.Type{Kind: action.BuiltinScalar, Name: "Boolean"}}},
	}
}

// operationDirectives checks the directives of the operation itself. @cached does nothing in the open-source server.
func (c *compiler) operationDirectives() *action.Error {
	place := "a query"
	switch c.op.ast.Operation {
	case ast.Mutation:
		place = "a mutation"
	case ast.Subscription:
		place = "a subscription"
	}
	for _, d := range c.op.ast.Directives {
		switch {
		case d.Name == "skip" || d.Name == "include" || d.Name == "cached" && c.op.ast.Operation != ast.Query:
			return invalid("directive '" + d.Name + "' is not allowed on " + place)
		case d.Name != "cached":
			return invalid("directive '" + d.Name + "' is not defined in the schema")
		}
		for _, arg := range d.Arguments {
			if arg.Name != "ttl" && arg.Name != "refresh" {
				return invalid("'cached' has no argument named '" + arg.Name + "'").Under(d.Name)
			}
		}
		var err *action.Error
		c.buf, err = action.CoerceFields(c.buf[:0], cachedArguments(), argument(d.Arguments), c.scope)
		if err != nil {
			return err.Under("args").Under(d.Name)
		}
	}
	return nil
}

// argument looks arguments up by name.
func argument(list ast.ArgumentList) func(string) *ast.Value {
	return func(name string) *ast.Value {
		if arg := list.ForName(name); arg != nil {
			return arg.Value
		}
		return nil
	}
}
