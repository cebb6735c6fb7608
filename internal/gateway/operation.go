package gateway

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/nself-org/nself/internal/action"
)

// maxTokens bounds a document; the largest introspection queries have a few hundred.
const maxTokens = 100_000

// operation is one operation of a document, chosen and checked as far as that goes without values of variables.
type operation struct {
	ast       *ast.OperationDefinition
	fragments ast.FragmentDefinitionList
	// requestQuery is the document as a JSON string, for handlers.
	requestQuery []byte
	root         string // the root type
	used         map[string]bool
	// conditions are the variables that @skip and @include read. A plan holds for one set of their values.
	conditions []string
	// variablesError is a fault of the variables that Hasura finds after looking at their values.
	variablesError *action.Error

	only  atomic.Pointer[plan] // the plan, where there are no conditions
	mu    sync.Mutex
	plans map[string]*plan
}

// maxPlans bounds the plans of an operation: n conditions make 2^n.
const maxPlans = 64

// operation finds or prepares what the request asks for.
func (r *roleSchema) operation(req *graphqlRequest) (*operation, *action.Error) {
	key := operationKey{req.query, req.operationName}
	if op := r.cache.get(key); op != nil {
		return op, nil
	}
	text := strings.Clone(action.Unquote(req.query))
	var name *string
	if req.operationName != "" {
		n := strings.Clone(action.Unquote(req.operationName))
		name = &n
	}
	op, err := r.prepare(text, name)
	if err != nil {
		return nil, err
	}
	r.cache.put(key, op)
	return op, nil
}

// prepare parses a document and chooses the operation, in the order of Hasura's checks.
func (r *roleSchema) prepare(text string, name *string) (*operation, *action.Error) {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, maxTokens)
	if err != nil || len(doc.Operations) == 0 && len(doc.Fragments) == 0 {
		e := invalid("not a valid graphql query")
		e.Path = ".query"
		return nil, e
	}
	chosen, problem := choose(doc.Operations, name)
	if problem != nil {
		return nil, problem
	}
	op := &operation{
		ast:          chosen,
		fragments:    doc.Fragments,
		requestQuery: action.AppendString(nil, text),
		used:         map[string]bool{},
	}
	if err := op.checkFragments(); err != nil {
		return nil, err
	}
	switch chosen.Operation {
	case ast.Mutation:
		if len(r.mutations) == 0 {
			return nil, invalid("no mutations exist")
		}
		op.root = mutationRoot
	case ast.Subscription:
		if len(r.results) == 0 {
			return nil, invalid("no subscriptions exist")
		}
		op.root = subscriptionRoot
	default:
		op.root = queryRoot
	}
	op.collectVariables()
	return op, nil
}

// choose picks the operation by name.
func choose(operations ast.OperationList, name *string) (*ast.OperationDefinition, *action.Error) {
	if name == nil {
		if len(operations) != 1 {
			return nil, invalid("exactly one operation has to be present in the document when operationName is not specified")
		}
		return operations[0], nil
	}
	for _, op := range operations {
		if op.Name == "" {
			return nil, invalid("operationName cannot be used when an anonymous operation exists in the document")
		}
	}
	for _, op := range operations {
		if op.Name == *name {
			return op, nil
		}
	}
	return nil, invalid(`no such operation found in the document: ` + strconv.Quote(*name))
}

// collectVariables finds the variables that the operation uses, and the faults in their declaration.
func (op *operation) collectVariables() {
	declared := map[string]bool{}
	for _, v := range op.ast.VariableDefinitions {
		if declared[v.Variable] && op.variablesError == nil {
			op.variablesError = invalid(`multiple definitions for variable "` + v.Variable + `"`)
			op.variablesError.Code = action.CodeParseFailed
		}
		declared[v.Variable] = true
	}
	w := variableWalk{op: op, declared: declared, seen: map[string]bool{}}
	w.directives(op.ast.Directives, false)
	w.selections(op.ast.SelectionSet)
	if w.unbound != "" && op.variablesError == nil {
		op.variablesError = invalid(`unbound variable "` + w.unbound + `"`)
	}
}

// variableWalk visits every place of an operation where a variable can stand, each fragment once.
type variableWalk struct {
	op       *operation
	declared map[string]bool
	seen     map[string]bool // fragments
	unbound  string
}

func (w *variableWalk) selections(set ast.SelectionSet) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			for _, arg := range s.Arguments {
				w.value(arg.Value)
			}
			w.directives(s.Directives, true)
			w.selections(s.SelectionSet)
		case *ast.InlineFragment:
			w.directives(s.Directives, true)
			w.selections(s.SelectionSet)
		case *ast.FragmentSpread:
			w.directives(s.Directives, true)
			if f := w.op.fragments.ForName(s.Name); f != nil && !w.seen[s.Name] {
				w.seen[s.Name] = true
				w.selections(f.SelectionSet)
			}
		}
	}
}

func (w *variableWalk) directives(list ast.DirectiveList, conditional bool) {
	for _, d := range list {
		for _, arg := range d.Arguments {
			w.value(arg.Value)
			if conditional && arg.Value.Kind == ast.Variable && !slices.Contains(w.op.conditions, arg.Value.Raw) {
				w.op.conditions = append(w.op.conditions, arg.Value.Raw)
			}
		}
	}
}

func (w *variableWalk) value(v *ast.Value) {
	if v.Kind == ast.Variable {
		w.op.used[v.Raw] = true
		if !w.declared[v.Raw] && w.unbound == "" {
			w.unbound = v.Raw
		}
	}
	for _, child := range v.Children {
		w.value(child.Value)
	}
}

// bind appends the operation's variables with the values of a request; variables is a JSON object, or "".
func (op *operation) bind(scope action.Scope, variables string) (action.Scope, *action.Error) {
	for _, def := range op.ast.VariableDefinitions {
		scope = append(scope, action.Variable{Name: def.Variable, Type: def.Type, Default: def.DefaultValue})
	}
	var unexpected []string
	if variables != "" {
		members := action.NewMembers(variables)
		for {
			name, value, ok := members.Next()
			if !ok {
				break
			}
			if !op.used[name] {
				unexpected = append(unexpected, strings.Clone(name))
			}
			for i := range scope {
				if scope[i].Name == name {
					scope[i].JSON = value
				}
			}
		}
	}
	for i := range scope {
		v := &scope[i]
		switch {
		case !v.Type.NonNull:
		case v.JSON == "null":
			return scope, invalid(`null value found for non-nullable type: "` + v.Type.String() + `"`)
		case v.JSON == "" && v.Default == nil:
			return scope, invalid(`expecting a value for non-nullable variable: "` + v.Name + `"`)
		}
	}
	if op.variablesError != nil {
		e := *op.variablesError
		return scope, &e
	}
	if unexpected != nil {
		return scope, invalid("unexpected variables in variableValues: " + strings.Join(unexpected, ", "))
	}
	return scope, nil
}

// plan finds or makes the plan for the given values of variables.
// fresh tells that it was made.
func (op *operation) plan(r *roleSchema, scope action.Scope) (p *plan, fresh bool, err *action.Error) {
	if len(op.conditions) == 0 {
		if p := op.only.Load(); p != nil {
			return p, false, nil
		}
		p, err := compile(r, op, scope)
		if err == nil {
			op.only.Store(p)
		}
		return p, true, err
	}
	variant, known := op.variant(scope)
	op.mu.Lock()
	p = op.plans[variant]
	op.mu.Unlock()
	if known && p != nil {
		return p, false, nil
	}
	p, err = compile(r, op, scope)
	if err == nil && known {
		op.mu.Lock()
		defer op.mu.Unlock()
		if op.plans == nil {
			op.plans = map[string]*plan{}
		}
		if len(op.plans) < maxPlans {
			op.plans[variant] = p
		}
	}
	return p, true, err
}

// variant writes the values of the conditions, a letter each; known tells that all are booleans or left out.
func (op *operation) variant(scope action.Scope) (letters string, known bool) {
	buf := make([]byte, 0, 16)
	for _, name := range op.conditions {
		letter := byte('x')
		for i := range scope {
			if scope[i].Name == name {
				switch scope[i].JSON {
				case "true":
					letter = 't'
				case "false":
					letter = 'f'
				case "":
					letter = 'd'
				}
			}
		}
		if letter == 'x' {
			return "", false
		}
		buf = append(buf, letter)
	}
	return string(buf), true
}
