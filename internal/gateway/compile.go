package gateway

import (
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/nself-org/nself/internal/action"
)

// plan is an operation ready to execute: its root fields in the order of the request.
type plan struct {
	fields []plannedField
	// warnings are aliases of nested objects, which Hasura looks up under the alias and so does not find.
	warnings []string
	enqueues bool // a field creates an entry of the action log
}

// doing is what a field with an action does.
type doing uint8

const (
	callHandler doing = iota
	createEntry       // of the action log
	readResult        // of an entry
)

// plannedField is one root field. Exactly one of action, constant and meta is set.
type plannedField struct {
	key []byte // the response name as a JSON key with its colon

	action    *boundAction
	does      doing
	args      []*action.Field
	selection *action.Selection
	input     []byte           // the arguments as JSON, where no variable is in them
	arguments ast.ArgumentList // otherwise

	constant []byte // JSON: __typename and no_queries_available
	meta     *metaField
}

// compile checks the operation with the values of one request and plans it.
func compile(r *roleSchema, op *operation, scope action.Scope) (*plan, *action.Error) {
	c := &compiler{schema: r, op: op, scope: scope}
	if err := c.operationDirectives(); err != nil {
		return nil, err
	}
	fields, err := c.collect(op.root, []ast.SelectionSet{op.ast.SelectionSet})
	if err != nil {
		return nil, err.Under("selectionSet")
	}
	if op.root == subscriptionRoot {
		if err := c.subscribable(fields); err != nil {
			return nil, err
		}
	}
	p := &plan{}
	for _, f := range fields {
		planned, err := c.rootField(f)
		if err != nil {
			return nil, err.Under(f.Name).Under("selectionSet")
		}
		p.enqueues = p.enqueues || planned.does == createEntry
		planned.key = append(action.AppendString(nil, f.Alias), ':')
		p.fields = append(p.fields, planned)
	}
	p.warnings = c.warnings
	return p, nil
}

func (c *compiler) rootField(f *mergedField) (plannedField, *action.Error) {
	if f.Name == "__typename" {
		return plannedField{constant: action.AppendString(nil, c.op.root)}, nil
	}
	if a := c.schema.action(c.op.root, f.Name); a != nil {
		switch {
		case !a.Async:
			return c.actionField(plannedField{action: a, args: a.Args}, f, a.Output.Base())
		case c.op.root == mutationRoot:
			return c.actionField(plannedField{action: a, args: a.Args, does: createEntry}, f, nil)
		default:
			c.result = a.result
			return c.actionField(plannedField{action: a, args: resultArguments(), does: readResult}, f, a.result)
		}
	}
	if c.op.root == queryRoot {
		switch {
		case (f.Name == "__schema" || f.Name == "__type") && !c.schema.hidden:
			meta, err := c.metaRoot(f)
			return plannedField{meta: meta}, err
		case f.Name == noQueriesField && !c.schema.hasQueries():
			if err := c.leaf(f, nil); err != nil {
				return plannedField{}, err
			}
			return plannedField{constant: action.AppendString(nil, noQueriesText)}, nil
		}
	}
	return plannedField{}, unknownField(f.Name, c.op.root)
}

func unknownField(name, typeName string) *action.Error {
	return invalid("field '" + name + "' not found in type: '" + typeName + "'")
}

// actionField plans a field with an action. base is the named type of the field; nil stands for a scalar.
func (c *compiler) actionField(p plannedField, f *mergedField, base *action.Type) (plannedField, *action.Error) {
	object := base != nil && base.Kind == action.Object
	if !object {
		if err := c.leaf(f, p.args); err != nil {
			return p, err
		}
	} else if err := c.knownArguments(f, p.args); err != nil {
		return p, err
	}
	input, err := action.CoerceFields(nil, p.args, argument(f.Arguments), c.scope)
	if err != nil {
		return p, err.Under("args")
	}
	if hasVariables(f.Arguments) {
		p.arguments = f.Arguments
	} else {
		p.input = input
	}
	if object {
		p.selection, err = c.selection(base, f.sets)
	}
	return p, err
}

// subscribable holds the root fields of a subscription to exactly one, which has to be the result of an asynchronous
// action.
func (c *compiler) subscribable(fields []*mergedField) *action.Error {
	if len(fields) != 1 {
		return invalid("subscriptions must select one top level field")
	}
	if named(c.schema.queries, fields[0].Name) != nil {
		return &action.Error{
			Code: action.CodeNotSupported, Message: "query actions cannot be run as a subscription",
		}
	}
	return nil
}

// leaf checks a field without a selection set.
func (c *compiler) leaf(f *mergedField, args []*action.Field) *action.Error {
	if len(f.sets) > 0 {
		return invalid("unexpected subselection set for non-object field")
	}
	return c.knownArguments(f, args)
}

// knownArguments refuses arguments that the field does not have.
func (c *compiler) knownArguments(f *mergedField, args []*action.Field) *action.Error {
	for _, given := range f.Arguments {
		known := false
		for _, arg := range args {
			known = known || arg.Name == given.Name
		}
		if !known {
			return invalid("'" + f.Name + "' has no argument named '" + given.Name + "'")
		}
	}
	return nil
}

// selection checks what is selected of an object.
func (c *compiler) selection(t *action.Type, sets []ast.SelectionSet) (*action.Selection, *action.Error) {
	sel, err := c.selectionIn(t, sets)
	if err != nil {
		return nil, err.Under("selectionSet")
	}
	return sel, nil
}

func (c *compiler) selectionIn(t *action.Type, sets []ast.SelectionSet) (*action.Selection, *action.Error) {
	if len(sets) == 0 {
		return nil, invalid("missing selection set for '" + t.Name + "'")
	}
	if err := c.descend(); err != nil {
		return nil, err
	}
	defer c.ascend()
	fields, err := c.collect(t.Name, sets)
	if err != nil {
		return nil, err
	}
	sel := &action.Selection{Object: t}
	for _, f := range fields {
		selected := action.SelectedField{Key: f.Alias, Index: -1}
		if f.Name != "__typename" {
			selected.Index = t.FieldIndex(f.Name)
			if selected.Index < 0 {
				return nil, unknownField(f.Name, t.Name).Under(f.Name)
			}
			var err *action.Error
			if base := t.Fields[selected.Index].Type.Base(); base.Kind == action.Object {
				if err = c.knownArguments(f, nil); err == nil {
					selected.Sub, err = c.selection(base, f.sets)
					if f.Alias != f.Name && t != c.result {
						c.warnings = append(c.warnings, f.Alias+": "+t.Name+"."+f.Name)
					}
				}
			} else {
				err = c.leaf(f, nil)
			}
			if err != nil {
				return nil, err.Under(f.Name)
			}
		}
		sel.Fields = append(sel.Fields, selected)
	}
	return sel, nil
}

// descend enters a nested selection, within the limit.
func (c *compiler) descend() *action.Error {
	if c.depth++; c.depth > c.schema.maxDepth {
		return invalid("the query is nested too deeply")
	}
	return nil
}

func (c *compiler) ascend() { c.depth-- }

// hasVariables tells whether a variable stands anywhere in arguments.
func hasVariables(list ast.ArgumentList) bool {
	for _, arg := range list {
		if valueHasVariables(arg.Value) {
			return true
		}
	}
	return false
}

func valueHasVariables(v *ast.Value) bool {
	if v.Kind == ast.Variable {
		return true
	}
	for _, child := range v.Children {
		if valueHasVariables(child.Value) {
			return true
		}
	}
	return false
}
