package gateway

import (
	"cmp"
	"slices"
	"sync"

	"github.com/nself-org/nself/internal/action"
)

// The names of Hasura's root types.
const (
	queryRoot        = "query_root"
	mutationRoot     = "mutation_root"
	subscriptionRoot = "subscription_root"
)

// noQueries is the one query field of a role that has none, its description and its value.
const (
	noQueriesField = "no_queries_available"
	noQueriesText  = "There are no queries available to the current role. Either there are no sources or remote schemas " +
		"configured, or the current role doesn't have the required permissions."
)

// roleSchema is what one role sees, with the operations that were checked against it.
type roleSchema struct {
	name      string
	queries   []*boundAction // query actions, by name
	mutations []*boundAction // by name
	results   []*boundAction // the asynchronous ones among the mutations
	maxDepth  int
	hidden    bool // introspection is disabled for the role
	cache     operationCache

	introspection func() *schemaModel // built at the first use
}

func newRoleSchema(name string, actions []*boundAction, o Options) *roleSchema {
	r := &roleSchema{name: name, maxDepth: o.MaxDepth, cache: operationCache{max: o.MaxCachedOperations}}
	for _, a := range actions {
		if a.Query {
			r.queries = append(r.queries, a)
		} else {
			r.mutations = append(r.mutations, a)
			if a.Async {
				r.results = append(r.results, a)
			}
		}
	}
	r.introspection = sync.OnceValue(func() *schemaModel { return newSchemaModel(r) })
	return r
}

// action finds the action of a root field.
func (r *roleSchema) action(root, name string) *boundAction {
	switch root {
	case mutationRoot:
		return named(r.mutations, name)
	case subscriptionRoot:
		return named(r.results, name)
	}
	if a := named(r.queries, name); a != nil {
		return a
	}
	return named(r.results, name)
}

// named finds an action in a list that is sorted by name.
func named(actions []*boundAction, name string) *boundAction {
	i, found := slices.BinarySearchFunc(actions, name, func(a *boundAction, name string) int { return cmp.Compare(a.Name, name) })
	if !found {
		return nil
	}
	return actions[i]
}

// hasQueries tells whether the role may ask for anything.
func (r *roleSchema) hasQueries() bool { return len(r.queries)+len(r.results) > 0 }

// invalid is short for an error of the request.
func invalid(message string) *action.Error { return action.Invalid(message) }
