package gateway

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/webhook"
)

// adminRole sees every action.
const adminRole = "admin"

// roleVariable is the session variable that holds the role.
const roleVariable = "x-hasura-role"

// snapshot is one version of the metadata, ready to serve. It is never changed.
type snapshot struct {
	actions         []*boundAction // by name
	roles           map[string]*roleSchema
	nobody          *roleSchema // of every role that metadata does not know
	inconsistencies []metadata.Inconsistency
	md              *metadata.Metadata // what it was made of
	scalars         []string           // of the databases
}

// serves tells whether two snapshots serve the same. It is not cheap.
func (s *snapshot) serves(other *snapshot) bool {
	if !slices.Equal(s.scalars, other.scalars) || !slices.EqualFunc(s.inconsistencies, other.inconsistencies,
		func(a, b metadata.Inconsistency) bool { return a.Name == b.Name && a.Reason == b.Reason }) {
		return false
	}
	one, err := s.md.MarshalJSON()
	if err != nil {
		return false
	}
	two, err := other.md.MarshalJSON()
	return err == nil && bytes.Equal(one, two)
}

// boundAction is an action with everything that a call needs.
type boundAction struct {
	action.Action
	url       string // resolved; it may hold secrets
	target    *webhook.Target
	allowed   tlsAllowlist
	headers   webhook.HeaderRules
	timeout   time.Duration
	transform transforms
	roles     []string
	observer  CallObserver // set before the snapshot is served
	result    *action.Type // of the fields that show the result of an asynchronous action
}

// waits is how long a call may take.
func (a *boundAction) waits() time.Duration {
	if a.timeout == 0 {
		return webhook.DefaultTimeout
	}
	return a.timeout
}

// async tells whether an asynchronous action is served.
func (s *snapshot) async() bool {
	return slices.ContainsFunc(s.actions, func(a *boundAction) bool { return a.Async })
}

// role returns the schema of a role.
func (s *snapshot) role(name string) *roleSchema {
	if r, ok := s.roles[name]; ok {
		return r
	}
	return s.nobody
}

// build makes a snapshot of what is consistent.
func (e *Engine) build(md *metadata.Metadata, facts metadata.Facts) (*snapshot, error) {
	facts.LookupEnv = e.opt.Lookup
	inconsistencies, consistent := metadata.Inconsistencies(md, facts)
	b := &builder{
		engine: e, types: newTypeTable(&consistent.CustomTypes, facts.Scalars), transforms: map[transformKey]transforms{},
		allowed: readTLSAllowlist(md),
		ignored: webhook.DefaultIgnored(), agent: "hasura-graphql-engine/" + e.opt.Version,
	}
	names := map[string]bool{}
	s := &snapshot{roles: map[string]*roleSchema{}, inconsistencies: inconsistencies, md: md, scalars: slices.Sorted(slices.Values(facts.Scalars))}
	for i := range consistent.Actions {
		m := &consistent.Actions[i]
		bound, err := b.bind(m)
		if err == nil && names[m.Name] {
			err = errors.New("another action has the same name")
		}
		if err == nil {
			names[m.Name] = true
			s.actions = append(s.actions, bound)
			continue
		}
		definition, encodeErr := json.Marshal(m)
		if encodeErr != nil {
			return nil, fmt.Errorf("encode action %q: %w", m.Name, encodeErr)
		}
		s.inconsistencies = append(s.inconsistencies, metadata.Inconsistency{
			Type: "action", Name: "action " + m.Name, Definition: definition,
			Reason: `Inconsistent object: in action "` + m.Name + `"; ` + err.Error(),
		})
	}
	slices.SortFunc(s.actions, func(x, y *boundAction) int { return cmp.Compare(x.Name, y.Name) })
	s.buildRoles(md.InheritedRoles, e.opt)
	for _, role := range introspectionDisabled(md) {
		if r := s.roles[role]; r != nil {
			r.hidden = true
		}
	}
	return s, nil
}

// introspectionDisabled reads the roles that may not look at their schema. What cannot be read disables nobody, as an
// absent key does.
func introspectionDisabled(md *metadata.Metadata) []string {
	var setting struct {
		Roles []string `json:"disabled_for_roles"`
	}
	_ = json.Unmarshal(md.Rest["graphql_schema_introspection"], &setting) // faults in it are metadata's to report
	return setting.Roles
}

// buildRoles makes a schema for each role that metadata names.
func (s *snapshot) buildRoles(inherited []metadata.InheritedRole, o Options) {
	parents := map[string][]string{}
	for _, r := range inherited {
		parents[r.RoleName] = r.RoleSet
	}
	seen := map[string][]*boundAction{adminRole: s.actions} // by those who have a permission of their own
	for _, a := range s.actions {
		for i, role := range a.roles {
			if role != adminRole && !slices.Contains(a.roles[:i], role) {
				seen[role] = append(seen[role], a)
			}
		}
	}
	for _, r := range inherited {
		if r.RoleName != adminRole {
			family := map[string]bool{}
			ancestors(r.RoleName, parents, family)
			s.roles[r.RoleName] = newRoleSchema(r.RoleName, s.seenBy(family), o)
		}
	}
	for role, actions := range seen {
		if s.roles[role] == nil {
			s.roles[role] = newRoleSchema(role, actions, o)
		}
	}
	s.nobody = newRoleSchema("", nil, o)
}

// ancestors adds a role and all that it inherits from to found.
func ancestors(role string, parents map[string][]string, found map[string]bool) {
	if found[role] {
		return
	}
	found[role] = true
	for _, parent := range parents[role] {
		ancestors(parent, parents, found)
	}
}

// seenBy returns the actions that any of the roles has a permission on.
func (s *snapshot) seenBy(roles map[string]bool) []*boundAction {
	if roles[adminRole] {
		return s.actions
	}
	var seen []*boundAction
	for _, a := range s.actions {
		if slices.ContainsFunc(a.roles, func(role string) bool { return roles[role] }) {
			seen = append(seen, a)
		}
	}
	return seen
}

// builder carries what building actions needs along, and what they share.
type builder struct {
	engine     *Engine
	types      *typeTable
	transforms map[transformKey]transforms // most actions have the same ones
	ignored    []string                    // client headers, where an action names none
	agent      string                      // User-Agent
	allowed    tlsAllowlist
}

// transformKey is the JSON of an action's transforms.
type transformKey struct{ request, response string }

// transform compiles the transforms of an action.
func (b *builder) transform(d *metadata.ActionDefinition) (transforms, error) {
	if len(d.RequestTransform)+len(d.ResponseTransform) == 0 {
		return transforms{}, nil
	}
	key := transformKey{string(d.RequestTransform), string(d.ResponseTransform)}
	if known, ok := b.transforms[key]; ok {
		return known, nil
	}
	t, err := compileTransforms(d.RequestTransform, d.ResponseTransform)
	if err == nil {
		b.transforms[key] = t
	}
	return t, err
}

// bind resolves types, handler and headers of a consistent action. The error says what this gateway cannot serve.
func (b *builder) bind(m *metadata.Action) (*boundAction, error) {
	d := &m.Definition
	query := d.Type == metadata.Query
	async := !query && d.Kind == metadata.Asynchronous
	if async && b.engine.opt.ActionLog == nil {
		return nil, errors.New("asynchronous actions need an action log, which this gateway does not have")
	}
	output := b.types.outer(d.OutputType)
	if output == nil {
		return nil, fmt.Errorf("the type: %q is not an object or scalar type defined in custom types", d.OutputType)
	}
	if async && (b.types.declared[m.Name] != nil || b.types.postgres[m.Name] != nil) {
		return nil, fmt.Errorf("the type of its result, %q, has the name of another type", m.Name)
	}
	var args []*action.Field
	for _, arg := range d.Arguments {
		ref := b.types.outer(arg.Type)
		if ref == nil {
			return nil, fmt.Errorf(
				"the type: %q is not defined in custom types or it is not a scalar/enum/input_object", arg.Type)
		}
		args = append(args, &action.Field{Name: arg.Name, Description: arg.Description, Type: ref})
	}
	opt := &b.engine.opt
	url, _ := webhook.Expand(d.Handler, opt.Lookup)
	target, err := b.allowed.target(b.engine.client, url)
	if err != nil {
		// The resolved URL may hold a secret; the template does not.
		return nil, fmt.Errorf("the handler %q is not an absolute http or https URL", d.Handler)
	}
	transform, err := b.transform(d)
	if err != nil {
		return nil, err
	}
	bound := &boundAction{
		Action: action.Action{
			Name: m.Name, Description: m.Comment, Query: query, Async: async, Args: args, Output: output,
			Handler: d.Handler,
		},
		url:       url,
		target:    target,
		allowed:   b.allowed,
		timeout:   time.Duration(d.Timeout) * time.Second,
		transform: transform,
		headers:   b.headerRules(d),
	}
	if async {
		bound.result = resultType(&bound.Action)
	}
	for _, p := range m.Permissions {
		bound.roles = append(bound.roles, p.Role)
	}
	return bound, nil
}

func (b *builder) headerRules(d *metadata.ActionDefinition) webhook.HeaderRules {
	rules := webhook.HeaderRules{
		Forward:         d.ForwardClientHeaders,
		Ignored:         d.IgnoredClientHeaders,
		ConfiguredFirst: b.engine.opt.ConfiguredHeadersFirst,
		UserAgent:       b.agent,
		Lookup:          b.engine.opt.Lookup,
	}
	if rules.Ignored == nil {
		rules.Ignored = b.ignored
	}
	for _, h := range d.Headers {
		rules.Configured = append(rules.Configured,
			webhook.Configured{Name: h.Name, Value: h.Value, FromEnv: h.ValueFromEnv})
	}
	return rules
}
