package metadataapi

import (
	"encoding/json"
	"slices"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/metadata"
)

// tableArgs name a table of a source, with the rest of a command's arguments.
type tableArgs struct {
	source string
	table  metadata.Table
	rest   *reader
}

// readTrackArgs reads the forms that track_table has had: the table alone, or an object with the key table.
func readTrackArgs(c command) (tableArgs, *action.Error) {
	if o := readObject(c.args, "TrackTable"); o.err == nil && o.raw("table") != nil {
		a := tableArgs{source: o.textOr("source", defaultSource), table: o.table(), rest: o}
		return a, o.err
	}
	t, err := parseTable(c.args)
	return tableArgs{source: defaultSource, table: t, rest: &reader{}}, err
}

// trackTable keeps a table in the metadata. It is not served; relationships of actions may point at it.
func trackTable(r *run, c command) ([]byte, *action.Error) {
	a, err := readTrackArgs(c)
	if err != nil {
		return nil, err
	}
	tracked, known := r.md.TrackedTables()[a.source]
	if !known {
		return nil, noSource(a.source)
	}
	if slices.Contains(tracked, a.table) {
		return nil, refuse(codeAlreadyTracked, "view/table already tracked : \""+a.table.String()+"\"")
	}
	name, encodeErr := json.Marshal(a.table)
	if encodeErr != nil {
		return nil, failed(encodeErr)
	}
	entry := members{{"table", name}}
	if configuration := a.rest.raw("configuration"); configuration != nil && string(configuration) != "{}" {
		entry.set("configuration", configuration)
	}
	md := r.edit()
	if err := editTables(md, a.source, func(tables []members) []members { return append(tables, entry) }); err != nil {
		return nil, err
	}
	return success, r.apply(md, rule{object: tableObject(a.source, a.table)})
}

func untrackTable(r *run, c command) ([]byte, *action.Error) {
	o := readObject(c.args, "UntrackTable")
	source, t := o.textOr("source", defaultSource), o.table()
	o.flag("cascade", false) // nothing else depends on a table that is not served
	if o.err != nil {
		return nil, o.err
	}
	tracked, known := r.md.TrackedTables()[source]
	switch {
	case !known:
		return nil, noSource(source)
	case !slices.Contains(tracked, t):
		return nil, refuse(codeAlreadyUntracked, "view/table already untracked : \""+t.String()+"\"")
	}
	md := r.edit()
	if err := editTables(md, source, func(tables []members) []members { return without(tables, t) }); err != nil {
		return nil, err
	}
	return success, r.apply(md, rule{drops: true})
}

// createTablePermission keeps a permission of a table in the metadata.
func createTablePermission(kind string) func(*run, command) ([]byte, *action.Error) {
	return func(r *run, c command) ([]byte, *action.Error) {
		o := readObject(c.args, "CreatePerm")
		role := o.name("role")
		definition := o.need("permission")
		if o.err == nil && metadata.KindOf(definition) != "Object" {
			o.fail("permission", "parsing PermDef failed, expected Object, but encountered "+metadata.KindOf(definition))
		}
		comment := o.textOr("comment", "")
		entry := members{{"role", quoted(role)}, {"permission", definition}}
		if comment != "" {
			entry.set("comment", quoted(comment))
		}
		return r.editPermissions(o, kind, func(list []members) ([]members, *action.Error) {
			if roleIn(list, role) >= 0 {
				return nil, refuse(codeAlreadyExists, kind+" permission already defined on table \""+o.table().String()+
					"\" with role \""+role+"\"")
			}
			return append(list, entry), nil
		}, rule{})
	}
}

func dropTablePermission(kind string) func(*run, command) ([]byte, *action.Error) {
	return func(r *run, c command) ([]byte, *action.Error) {
		o := readObject(c.args, "DropPerm")
		role := o.name("role")
		return r.editPermissions(o, kind, func(list []members) ([]members, *action.Error) {
			i := roleIn(list, role)
			if i < 0 {
				return nil, refuse(codePermissionDenied, kind+" permission on \""+o.table().String()+"\" for role \""+role+
					"\" does not exist")
			}
			return slices.Delete(list, i, i+1), nil
		}, rule{drops: true})
	}
}

func quoted(s string) json.RawMessage { return action.AppendString(nil, s) }

func roleIn(list []members, role string) int {
	return slices.IndexFunc(list, func(p members) bool { return p.text("role") == role })
}

// editPermissions changes one list of permissions of the table that a command's arguments name.
func (r *run) editPermissions(
	o *reader, kind string, edit func([]members) ([]members, *action.Error), rule rule,
) ([]byte, *action.Error) {
	source, t := o.textOr("source", defaultSource), o.table()
	if o.err != nil {
		return nil, o.err
	}
	tracked, known := r.md.TrackedTables()[source]
	switch {
	case !known:
		return nil, noSource(source)
	case !slices.Contains(tracked, t):
		return nil, refuse(codeNotExists, "table \""+t.String()+"\" does not exist in source: "+source)
	}
	md := r.edit()
	var refused *action.Error
	err := editTables(md, source, func(tables []members) []members {
		for i := range tables {
			if tableOf(tables[i]) == t {
				refused = editList(&tables[i], kind+"_permissions", edit)
			}
		}
		return tables
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return nil, err
	}
	return success, r.apply(md, rule)
}

// editList changes the list under a key of an entry; an empty list is left out.
func editList(entry *members, key string, edit func([]members) ([]members, *action.Error)) *action.Error {
	var list []members
	if raw := entry.get(key); metadata.KindOf(raw) != "Null" {
		if err := json.Unmarshal(raw, &list); err != nil {
			return parseFailed("", err.Error())
		}
	}
	list, refused := edit(list)
	if refused != nil {
		return refused
	}
	if len(list) == 0 {
		entry.remove(key)
		return nil
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return failed(err)
	}
	entry.set(key, raw)
	return nil
}
