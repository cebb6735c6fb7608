package gateway

import (
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
}

// boundAction is an action with everything that a call needs.
type boundAction struct {
	action.Action
	url       string // resolved; it may hold secrets
	target    *webhook.Target
	headers   webhook.HeaderRules
	timeout   time.Duration
	transform transforms
	roles     []string
	observer  CallObserver // set before the snapshot is served
	result    *action.Type // of the fields that show the result of an asynchronous action
}

// visible tells whether role has a permission of its own.
func (a *boundAction) visible(role string) bool {
	return role == adminRole || slices.Contains(a.roles, role)
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
	b := &builder{engine: e, types: newTypeTable(&consistent.CustomTypes, facts.Scalars)}
	s := &snapshot{roles: map[string]*roleSchema{}, inconsistencies: inconsistencies}
	for i := range consistent.Actions {
		m := &consistent.Actions[i]
		bound, err := b.bind(m)
		if err == nil && slices.ContainsFunc(s.actions, func(a *boundAction) bool { return a.Name == m.Name }) {
			err = errors.New("another action has the same name")
		}
		if err == nil {
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
	names := map[string]bool{adminRole: true}
	for _, r := range inherited {
		parents[r.RoleName] = r.RoleSet
		names[r.RoleName] = true
	}
	for _, a := range s.actions {
		for _, role := range a.roles {
			names[role] = true
		}
	}
	for name := range names {
		var seen []*boundAction
		for _, a := range s.actions {
			if inherits(a, name, parents, nil) {
				seen = append(seen, a)
			}
		}
		s.roles[name] = newRoleSchema(name, seen, o)
	}
	s.nobody = newRoleSchema("", nil, o)
}

// inherits tells whether a role or any of its ancestors sees an action. trail breaks circles.
func inherits(a *boundAction, role string, parents map[string][]string, trail []string) bool {
	if a.visible(role) {
		return true
	}
	if slices.Contains(trail, role) {
		return false
	}
	return slices.ContainsFunc(parents[role], func(parent string) bool {
		return inherits(a, parent, parents, append(trail, role))
	})
}

// builder carries what building actions needs along.
type builder struct {
	engine *Engine
	types  *typeTable
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
	target, err := b.engine.client.Target(url)
	if err != nil {
		// The resolved URL may hold a secret; the template does not.
		return nil, fmt.Errorf("the handler %q is not an absolute http or https URL", d.Handler)
	}
	transform, err := compileTransforms(d.RequestTransform, d.ResponseTransform)
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
		timeout:   time.Duration(d.Timeout) * time.Second,
		transform: transform,
		headers:   headerRules(d, opt),
	}
	if async {
		bound.result = resultType(&bound.Action)
	}
	for _, p := range m.Permissions {
		bound.roles = append(bound.roles, p.Role)
	}
	return bound, nil
}

func headerRules(d *metadata.ActionDefinition, o *Options) webhook.HeaderRules {
	rules := webhook.HeaderRules{
		Forward:         d.ForwardClientHeaders,
		Ignored:         d.IgnoredClientHeaders,
		ConfiguredFirst: o.ConfiguredHeadersFirst,
		UserAgent:       "hasura-graphql-engine/" + o.Version,
		Lookup:          o.Lookup,
	}
	if rules.Ignored == nil {
		rules.Ignored = webhook.DefaultIgnored()
	}
	for _, h := range d.Headers {
		rules.Configured = append(rules.Configured,
			webhook.Configured{Name: h.Name, Value: h.Value, FromEnv: h.ValueFromEnv})
	}
	return rules
}
