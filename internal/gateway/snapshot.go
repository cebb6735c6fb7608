package gateway

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/webhook"
)

// adminRole sees every action.
const adminRole = "admin"

// snapshot is one version of the metadata, ready to serve. It is never changed.
type snapshot struct {
	actions         []*boundAction // by name
	roles           map[string]*roleSchema
	nobody          *roleSchema // of every role that metadata does not know
	inconsistencies []Inconsistency
}

// boundAction is an action with everything that a call needs.
type boundAction struct {
	action.Action
	target    *webhook.Target
	headers   webhook.HeaderRules
	timeout   time.Duration
	transform transforms
	roles     []string
}

// visible tells whether role has a permission of its own.
func (a *boundAction) visible(role string) bool {
	return role == adminRole || slices.Contains(a.roles, role)
}

// role returns the schema of a role.
func (s *snapshot) role(name string) *roleSchema {
	if r, ok := s.roles[name]; ok {
		return r
	}
	return s.nobody
}

// build makes a snapshot.
func (e *Engine) build(md *metadata.Metadata) (*snapshot, error) {
	s := &snapshot{roles: map[string]*roleSchema{}}
	b := &builder{engine: e, md: md, snapshot: s}
	b.buildTypes()
	for i := range md.Actions {
		b.buildAction(&md.Actions[i])
	}
	slices.SortFunc(s.actions, func(x, y *boundAction) int { return cmp.Compare(x.Name, y.Name) })
	b.buildRoles()
	return s, nil
}

// builder carries what building a snapshot needs along.
type builder struct {
	engine   *Engine
	md       *metadata.Metadata
	snapshot *snapshot
	types    map[string]*action.Type // declared and built in
	broken   bool                    // custom types are inconsistent, and with them every action
}

// buildRoles makes a schema for each role that metadata names.
func (b *builder) buildRoles() {
	parents := map[string][]string{}
	names := map[string]bool{adminRole: true}
	for _, r := range b.md.InheritedRoles {
		parents[r.RoleName] = r.RoleSet
		names[r.RoleName] = true
	}
	for _, a := range b.snapshot.actions {
		for _, role := range a.roles {
			names[role] = true
		}
	}
	for name := range names {
		var seen []*boundAction
		for _, a := range b.snapshot.actions {
			if inherits(a, name, parents, nil) {
				seen = append(seen, a)
			}
		}
		b.snapshot.roles[name] = newRoleSchema(name, seen, b.engine.opt)
	}
	b.snapshot.nobody = newRoleSchema("", nil, b.engine.opt)
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

// buildAction adds an action, or says why it cannot be served.
func (b *builder) buildAction(m *metadata.Action) {
	if b.broken {
		b.report(m, "custom types are inconsistent")
		return
	}
	bound, reason := b.bind(m)
	if reason != "" {
		b.report(m, `in action "`+m.Name+`"; `+reason)
		return
	}
	b.snapshot.actions = append(b.snapshot.actions, bound)
}

// bind resolves types, handler and headers. A reason tells why it cannot.
func (b *builder) bind(m *metadata.Action) (*boundAction, string) {
	d := &m.Definition
	query := d.Type == metadata.Query
	if !query && d.Kind == metadata.Asynchronous {
		return nil, "asynchronous actions need an action log, which this gateway does not have"
	}
	args, reason := b.fields(arguments(d.Arguments))
	if reason != "" {
		return nil, reason
	}
	for _, arg := range args {
		if !arg.Type.Base().Input() {
			return nil, `the type: "` + arg.Type.Base().Name +
				`" is not defined in custom types or it is not a scalar/enum/input_object`
		}
	}
	output, base := b.ref(d.OutputType)
	if output == nil || output.Base().Kind == action.Enum || output.Base().Kind == action.InputObject {
		return nil, `the type: "` + base + `" is not an object or scalar type defined in custom types`
	}
	opt := b.engine.opt
	url, missing := webhook.Expand(d.Handler, opt.Lookup)
	if missing != nil {
		return nil, "Value for environment variables not found: " + strings.Join(missing, ", ")
	}
	target, err := b.engine.client.Target(url)
	if err != nil {
		// The resolved URL may hold a secret; the template does not.
		return nil, `the handler "` + d.Handler + `" is not an absolute http or https URL`
	}
	transform, err := compileTransforms(d.RequestTransform, d.ResponseTransform)
	if err != nil {
		return nil, err.Error()
	}
	bound := &boundAction{
		Action: action.Action{
			Name: m.Name, Description: m.Comment, Query: query, Args: args, Output: output, Handler: d.Handler,
		},
		target:    target,
		timeout:   time.Duration(d.Timeout) * time.Second,
		transform: transform,
		headers: webhook.HeaderRules{
			Forward:         d.ForwardClientHeaders,
			Ignored:         d.IgnoredClientHeaders,
			ConfiguredFirst: opt.ConfiguredHeadersFirst,
			UserAgent:       "hasura-graphql-engine/" + opt.Version,
			Lookup:          opt.Lookup,
		},
	}
	if bound.headers.Ignored == nil {
		bound.headers.Ignored = webhook.DefaultIgnored()
	}
	for _, h := range d.Headers {
		bound.headers.Configured = append(bound.headers.Configured,
			webhook.Configured{Name: h.Name, Value: h.Value, FromEnv: h.ValueFromEnv})
	}
	for _, p := range m.Permissions {
		bound.roles = append(bound.roles, p.Role)
	}
	return bound, ""
}

// report records that an action is not served.
func (b *builder) report(m *metadata.Action, reason string) {
	b.snapshot.inconsistencies = append(b.snapshot.inconsistencies, Inconsistency{
		Type: "action", Name: "action " + m.Name, Reason: "Inconsistent object: " + reason, Definition: m,
	})
}
