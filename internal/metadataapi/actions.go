package metadataapi

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/transform"
)

// readAction reads the arguments of create_action and update_action. Permissions are not among them: Hasura ignores the
// key here.
func readAction(c command) (metadata.Action, *action.Error) {
	o := readObject(c.args, "CreateAction")
	if o.err != nil {
		return metadata.Action{}, o.err
	}
	delete(o.fields, "permissions")
	trimmed, err := json.Marshal(o.fields)
	if err != nil {
		return metadata.Action{}, failed(err)
	}
	a, err := metadata.ParseAction(trimmed, "$")
	if err != nil {
		return a, shapeError(err)
	}
	return a, checkTransforms(&a.Definition)
}

// checkTransforms compiles the templates of a definition.
func checkTransforms(d *metadata.ActionDefinition) *action.Error {
	if _, err := transform.CompileRequest(d.RequestTransform); err != nil {
		return transformError(".definition.request_transform", "request transform validation failed", err)
	}
	if _, err := transform.CompileResponse(d.ResponseTransform); err != nil {
		return transformError(".definition.response_transform", "response transform validation failed", err)
	}
	return nil
}

// transformError words faults of templates; those of the form stand at path.
func transformError(path, message string, err error) *action.Error {
	if shape, ok := errors.AsType[*transform.ShapeError](err); ok {
		return parseFailed(path+shape.Path, shape.Message)
	}
	return withInternal(refuse(action.CodeValidationFailed, message), err)
}

func createAction(r *run, c command) ([]byte, *action.Error) {
	a, err := readAction(c)
	if err != nil {
		return nil, err
	}
	if r.action(a.Name) >= 0 {
		return nil, refuse(codeAlreadyExists, "action with name \""+a.Name+"\" already exists")
	}
	md := r.edit()
	md.Actions = append(md.Actions, a)
	return success, r.apply(md, rule{object: "action " + a.Name})
}

func updateAction(r *run, c command) ([]byte, *action.Error) {
	a, err := readAction(c)
	if err != nil {
		return nil, err
	}
	i := r.action(a.Name)
	if i < 0 {
		return nil, noAction(a.Name)
	}
	md := r.edit()
	a.Permissions = md.Actions[i].Permissions
	md.Actions[i] = a
	return success, r.apply(md, rule{object: "action " + a.Name})
}

func dropAction(r *run, c command) ([]byte, *action.Error) {
	o := readObject(c.args, "DropAction")
	name, clearData := o.text("name"), o.flag("clear_data", true)
	if o.err != nil {
		return nil, o.err
	}
	i := r.action(name)
	if i < 0 {
		return nil, noAction(name)
	}
	md := r.edit()
	md.Actions = slices.Delete(md.Actions, i, i+1)
	if err := r.apply(md, rule{drops: true}); err != nil {
		return nil, err
	}
	if clearData {
		r.dropped = append(r.dropped, name)
	}
	return success, nil
}

// action finds an action; -1: there is none.
func (r *run) action(name string) int {
	return slices.IndexFunc(r.md.Actions, func(a metadata.Action) bool { return a.Name == name })
}

func noAction(name string) *action.Error {
	return refuse(codeNotExists, "action with name \""+name+"\" does not exist")
}

// createActionPermission differs from Hasura for an action that does not exist: Hasura reports success and stores
// nothing.
func createActionPermission(r *run, c command) ([]byte, *action.Error) {
	o := readObject(c.args, "CreateActionPermission")
	name, p := o.text("action"), metadata.Permission{Role: o.name("role"), Comment: o.textOr("comment", "")}
	if o.err != nil {
		return nil, o.err
	}
	i := r.action(name)
	if i < 0 {
		return nil, noAction(name)
	}
	md := r.edit()
	a := &md.Actions[i]
	if permission(a, p.Role) >= 0 {
		return nil, refuse(codeAlreadyExists, "permission for role \""+p.Role+"\" is already defined on \""+name+"\"")
	}
	a.Permissions = append(slices.Clone(a.Permissions), p)
	return success, r.apply(md, rule{object: "action_permission " + p.Role + " permission in " + name})
}

func dropActionPermission(r *run, c command) ([]byte, *action.Error) {
	o := readObject(c.args, "DropActionPermission")
	name, role := o.text("action"), o.name("role")
	if o.err != nil {
		return nil, o.err
	}
	at, i := -1, r.action(name)
	md := r.edit()
	if i >= 0 {
		at = permission(&md.Actions[i], role)
	}
	if at < 0 {
		return nil, refuse(codeNotExists, "permission for role: \""+role+"\" is not defined on \""+name+"\"")
	}
	a := &md.Actions[i]
	a.Permissions = slices.Delete(slices.Clone(a.Permissions), at, at+1)
	return success, r.apply(md, rule{drops: true})
}

// permission finds a role's permission; -1: there is none.
func permission(a *metadata.Action, role string) int {
	return slices.IndexFunc(a.Permissions, func(p metadata.Permission) bool { return p.Role == role })
}

func setCustomTypes(r *run, c command) ([]byte, *action.Error) {
	if kind := metadata.KindOf(c.args); kind != "Object" {
		return nil, parseFailed("", "parsing CustomTypes failed, expected Object, but encountered "+kind)
	}
	types, err := metadata.ParseCustomTypes(c.args, "$")
	if err != nil {
		return nil, shapeError(err)
	}
	md := r.edit()
	md.CustomTypes = types
	return success, r.apply(md, rule{object: "custom_types custom_types"})
}

// addInheritedRole replaces a role of the same name, as Hasura does.
func addInheritedRole(r *run, c command) ([]byte, *action.Error) {
	o := readObject(c.args, "Role")
	role := metadata.InheritedRole{RoleName: o.name("role_name")}
	set := o.need("role_set")
	if o.err != nil {
		return nil, o.err
	}
	list, err := elements(set)
	if err != nil {
		return nil, err.Under("role_set")
	}
	for i, raw := range list {
		parent := decode[string](o, "role_set", raw, "Text", "String")
		if o.err != nil || parent == "" {
			return nil, parseFailed("", "expected the name of a role").UnderIndex(i).Under("role_set")
		}
		role.RoleSet = append(role.RoleSet, parent)
	}
	if slices.Contains(role.RoleSet, role.RoleName) {
		return nil, refuse(codeInvalidParams, "an inherited role name cannot be in the role combination")
	}
	md := r.edit()
	if i := r.inheritedRole(role.RoleName); i >= 0 {
		md.InheritedRoles[i] = role
	} else {
		md.InheritedRoles = append(md.InheritedRoles, role)
	}
	return success, r.apply(md, rule{})
}

func dropInheritedRole(r *run, c command) ([]byte, *action.Error) {
	o := readObject(c.args, "DropInheritedRole")
	name := o.name("role_name")
	if o.err != nil {
		return nil, o.err
	}
	i := r.inheritedRole(name)
	if i < 0 {
		return nil, refuse(codeNotExists, "\""+name+"\" inherited role doesn't exist")
	}
	md := r.edit()
	md.InheritedRoles = slices.Delete(md.InheritedRoles, i, i+1)
	return success, r.apply(md, rule{drops: true})
}

func (r *run) inheritedRole(name string) int {
	return slices.IndexFunc(r.md.InheritedRoles, func(role metadata.InheritedRole) bool { return role.RoleName == name })
}
