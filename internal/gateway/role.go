package gateway

import (
	"sync"

	"github.com/nself-org/nself/internal/action"
)

// The names of Hasura's root types.
const (
	queryRoot    = "query_root"
	mutationRoot = "mutation_root"
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
	queries   []*boundAction // by name
	mutations []*boundAction
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
		}
	}
	r.introspection = sync.OnceValue(func() *schemaModel { return newSchemaModel(r) })
	return r
}

// action finds a root field.
func (r *roleSchema) action(root, name string) *boundAction {
	actions := r.queries
	if root == mutationRoot {
		actions = r.mutations
	}
	for _, a := range actions {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// invalid is short for an error of the request.
func invalid(message string) *action.Error { return action.Invalid(message) }
