// Package metadata holds Hasura's metadata as nself uses it: the document with actions and custom types, the Hasura
// CLI's v3 directory on disk (actions.graphql, actions.yaml), validation with file and line, and edits that keep a
// user's comments and order.
package metadata

import "encoding/json"

// Metadata is the whole document, version 3. Keys that nself does not interpret are kept in Rest, so that a round trip
// loses nothing. Source: Hasura v2, metadata format.
type Metadata struct {
	Version        int
	Actions        []Action
	CustomTypes    CustomTypes
	InheritedRoles []InheritedRole
	Rest           map[string]json.RawMessage
	// Problems are the faults that [LoadDir] found while it read the files, warnings included.
	Problems Problems
}

// Action is one custom mutation or query.
type Action struct {
	Name        string           `json:"name"`
	Definition  ActionDefinition `json:"definition"`
	Comment     string           `json:"comment,omitempty"`
	Permissions []Permission     `json:"permissions,omitempty"`
	// Pos is where the action stands on disk; zero for a document that came over HTTP.
	Pos Pos `json:"-"`
	// YAMLPos is where the action's entry in actions.yaml stands; zero where there is none.
	YAMLPos Pos `json:"-"`
	// KeyPos holds the places of the entry's keys in actions.yaml, such as "handler" or "timeout".
	KeyPos map[string]Pos `json:"-"`
}

// ActionDefinition is the callable part of an action.
type ActionDefinition struct {
	Handler              string          `json:"handler"`
	OutputType           string          `json:"output_type"`
	ForwardClientHeaders bool            `json:"forward_client_headers,omitempty"`
	IgnoredClientHeaders []string        `json:"ignored_client_headers,omitempty"` // nil: Hasura's default list
	Headers              []Header        `json:"headers,omitempty"`
	Arguments            []Argument      `json:"arguments,omitempty"`
	RequestTransform     json.RawMessage `json:"request_transform,omitempty"`
	ResponseTransform    json.RawMessage `json:"response_transform,omitempty"`
	Type                 ActionType      `json:"type,omitempty"`    // empty: mutation
	Kind                 ActionKind      `json:"kind,omitempty"`    // empty: synchronous
	Timeout              int             `json:"timeout,omitempty"` // seconds; zero: 30, Hasura's default
}

// ActionType says under which root field an action stands.
type ActionType string

// The two action types.
const (
	Mutation ActionType = "mutation"
	Query    ActionType = "query"
)

// ActionKind says whether the caller waits for the handler.
type ActionKind string

// The two kinds.
const (
	Synchronous  ActionKind = "synchronous"
	Asynchronous ActionKind = "asynchronous"
)

// Header is a configured header of the webhook call: exactly one of Value and ValueFromEnv is set.
type Header struct {
	Name         string `json:"name"`
	Value        string `json:"value,omitempty"`
	ValueFromEnv string `json:"value_from_env,omitempty"`
	Pos          Pos    `json:"-"`
}

// Argument is one argument of an action; Type is GraphQL type syntax, such as "[OrderItem!]!".
type Argument struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
	// Default is the SDL default value, which Hasura drops; kept so that checks can warn. Never exported.
	Default string `json:"-"`
	Pos     Pos    `json:"-"`
}

// Permission lets one role see and run an action.
type Permission struct {
	Role    string `json:"role"`
	Comment string `json:"comment,omitempty"`
	Pos     Pos    `json:"-"`
}

// InheritedRole unites the permissions of other roles.
type InheritedRole struct {
	RoleName string   `json:"role_name"`
	RoleSet  []string `json:"role_set"`
}

// CustomTypes are the GraphQL types that actions use.
type CustomTypes struct {
	InputObjects []InputObject `json:"input_objects,omitempty"`
	Objects      []Object      `json:"objects,omitempty"`
	Scalars      []Scalar      `json:"scalars,omitempty"`
	Enums        []Enum        `json:"enums,omitempty"`
}

// InputObject is a GraphQL input type.
type InputObject struct {
	Name        string  `json:"name"`
	Description string  `json:"description,omitempty"`
	Fields      []Field `json:"fields"`
	Pos         Pos     `json:"-"`
}

// Object is a GraphQL output type.
type Object struct {
	Name          string          `json:"name"`
	Description   string          `json:"description,omitempty"`
	Fields        []Field         `json:"fields"`
	Relationships json.RawMessage `json:"relationships,omitempty"`
	Pos           Pos             `json:"-"`
}

// Field is a field of an input object or an object; Type is GraphQL type syntax.
type Field struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
	// Default is the SDL default value, which Hasura drops; kept so that checks can warn. Never exported.
	Default string `json:"-"`
	Pos     Pos    `json:"-"`
}

// Scalar is a custom scalar.
type Scalar struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Pos         Pos    `json:"-"`
}

// Enum is a GraphQL enum.
type Enum struct {
	Name        string      `json:"name"`
	Description string      `json:"description,omitempty"`
	Values      []EnumValue `json:"values"`
	Pos         Pos         `json:"-"`
}

// EnumValue is one value of an enum.
type EnumValue struct {
	Value        string `json:"value"`
	Description  string `json:"description,omitempty"`
	IsDeprecated bool   `json:"is_deprecated,omitempty"`
	Pos          Pos    `json:"-"`
}

// Pos is a place in a file on disk, path relative to the project, line from 1.
type Pos struct {
	File string
	Line int
}
