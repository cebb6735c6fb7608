package env

import "slices"

// Group is a heading under which keys are shown.
type Group string

// The groups, in the order in which they are shown.
const (
	GroupProject   Group = "project"
	GroupFunctions Group = "functions"
	GroupPostgres  Group = "postgres"
	GroupRedis     Group = "redis"
	GroupHasura    Group = "hasura"
	GroupMail      Group = "mail"
	GroupStorage   Group = "storage"
	GroupOther     Group = "other" // keys that nself passes on and does not know
)

// Kind is the type of a key's values.
type Kind string

// The kinds of value.
const (
	KindText   Kind = "text"
	KindBool   Kind = "boolean"
	KindPort   Kind = "port"
	KindNumber Kind = "number"
	KindURL    Kind = "url"
	KindImage  Kind = "image"
)

// Key describes one variable that nself knows. The descriptions drive reading, validation, `nself config` and the docs.
type Key struct {
	Name  string
	Group Group
	Kind  Kind
	// Default is the default as a person reads it; empty: none.
	Default string
	// Secret says that the value is masked wherever it is shown.
	Secret bool
	// Required says that the project cannot run without a value.
	Required bool
	// Doc is one line without a full stop.
	Doc string
	// Rule says what values are allowed, for a person; empty where the kind says it.
	Rule string
	// Pass says that a value which the user has set reaches function services under the same name.
	Pass bool

	// fallback computes the default where it depends on keys above in the table; nil: Default is the text itself.
	fallback func(*Config) string
	// check refuses a value that has the right kind; may be nil.
	check check
	// store puts the value into the Config; may be nil.
	store func(*Config, string)
}

// table is the list of known keys, in order, with an index.
type table struct {
	keys  []Key
	index map[string]int
	old   []oldGroup
}

func newTable() *table {
	t := &table{keys: slices.Concat(projectKeys(), functionKeys(), postgresKeys(), redisKeys(), hasuraKeys(), mailKeys(),
		storageKeys()), old: oldNames()}
	t.index = make(map[string]int, len(t.keys))
	for i := range t.keys {
		t.index[t.keys[i].Name] = i
	}
	return t
}

// find returns the description of a key, or nil. A nil table, of a Config that Load did not make, has none.
func (t *table) find(name string) *Key {
	if t == nil {
		return nil
	}
	if i, ok := t.index[name]; ok {
		return &t.keys[i]
	}
	return nil
}

// Keys returns the descriptions of all keys that nself knows, in order.
func Keys() []Key { return newTable().keys }

// computed are names whose values nself works out for the services; what a user sets under them has no effect.
func computed(key string) (advice string, ok bool) {
	switch key {
	case "DATABASE_URL", "PG_DATABASE_URL", "HASURA_GRAPHQL_DATABASE_URL", "HASURA_GRAPHQL_METADATA_DATABASE_URL":
		return "set POSTGRES_PORT, POSTGRES_DB, POSTGRES_USER and POSTGRES_PASSWORD", true
	case "REDIS_URL":
		return "set REDIS_ENABLED, REDIS_PORT and REDIS_PASSWORD", true
	case "HASURA_ADMIN_SECRET":
		return "set HASURA_GRAPHQL_ADMIN_SECRET", true
	case "HASURA_GRAPHQL_ENDPOINT":
		return "set HASURA_PORT", true
	case "PORT":
		return "set GOLANG_PORT, NESTJS_PORT or PYTHON_PORT", true
	}
	return "", false
}
