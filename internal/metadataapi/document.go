package metadataapi

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/metadata"
)

func exportMetadata(r *run, c command) ([]byte, *action.Error) {
	doc, err := r.md.MarshalJSON()
	if err != nil {
		return nil, failed(err)
	}
	if c.form == 1 {
		return doc, nil
	}
	out := strconv.AppendInt([]byte(`{"resource_version":`), r.base.version, 10)
	out = append(append(out, `,"metadata":`...), doc...)
	return append(out, '}'), nil
}

// consistency is the state of the metadata as several operations report it.
type consistency struct {
	Message      string                    `json:"message,omitempty"`
	IsConsistent bool                      `json:"is_consistent"`
	Objects      *[]metadata.Inconsistency `json:"inconsistent_objects,omitempty"`
}

func (r *run) consistency() consistency {
	list := r.staged.Inconsistencies()
	if list == nil {
		list = []metadata.Inconsistency{}
	}
	return consistency{IsConsistent: len(list) == 0, Objects: &list}
}

func encode(v any) ([]byte, *action.Error) {
	out, err := json.Marshal(v)
	if err != nil {
		return nil, failed(err)
	}
	return out, nil
}

func getInconsistentMetadata(r *run, _ command) ([]byte, *action.Error) {
	return encode(r.consistency())
}

// reloadMetadata reads store and databases again. In a bulk that has changed something it is the databases alone: the
// store does not know the changes yet.
func reloadMetadata(r *run, c command) ([]byte, *action.Error) {
	if o := readObject(c.args, "ReloadMetadata"); o.err != nil {
		return nil, o.err
	}
	defer thrifty()()
	md := r.md
	if md == r.base.md {
		loaded, version, err := r.api.opt.Store.Load(r.ctx)
		if err != nil {
			return nil, failed(err)
		}
		md, r.base = loaded, &state{md: loaded, version: version, staged: r.base.staged}
	}
	r.catalogs = nil
	if err := r.apply(md, rule{lenient: true}); err != nil {
		return nil, err
	}
	r.reloaded = true
	answer := r.consistency()
	answer.Message = "success"
	if answer.IsConsistent {
		answer.Objects = nil
	}
	return encode(answer)
}

// clearMetadata leaves the connection of the default source.
func clearMetadata(r *run, _ command) ([]byte, *action.Error) {
	sources, refused := readSources(r.md)
	if refused != nil {
		return nil, refused
	}
	md := &metadata.Metadata{Version: 3, Rest: map[string]json.RawMessage{}}
	kept := []members{}
	for _, s := range sources {
		if s.text("name") != defaultSource {
			continue
		}
		bare := members{}
		for _, key := range []string{"name", "kind", "tables", "configuration", "customization"} {
			if key == "tables" {
				bare.set(key, json.RawMessage("[]"))
			} else if value := s.get(key); value != nil {
				bare.set(key, value)
			}
		}
		kept = append(kept, bare)
	}
	if refused := writeSources(md, kept); refused != nil {
		return nil, refused
	}
	return success, r.apply(md, rule{lenient: true})
}

// replaceArgs are the arguments of both forms of replace_metadata.
type replaceArgs struct {
	doc   json.RawMessage
	path  string // of the document in the arguments
	allow bool
	full  bool // the second form, whose answer tells about consistency
}

func readReplaceArgs(c command) (replaceArgs, *action.Error) {
	o := readObject(c.args, "ReplaceMetadata")
	if o.err != nil {
		return replaceArgs{}, o.err
	}
	if _, wrapped := o.fields["metadata"]; !wrapped && c.form == 1 {
		return replaceArgs{doc: c.args}, nil
	}
	a := replaceArgs{
		doc: o.need("metadata"), path: ".metadata", full: true, allow: o.flag("allow_inconsistent_metadata", false),
	}
	return a, o.err
}

func replaceMetadata(r *run, c command) ([]byte, *action.Error) {
	a, refused := readReplaceArgs(c)
	if refused != nil {
		return nil, refused
	}
	md, refused := r.readDocument(a)
	if refused != nil {
		return nil, refused
	}
	if refused := r.apply(md, rule{strict: !a.allow, lenient: a.allow}); refused != nil {
		return nil, refused
	}
	r.warnUnserved(md)
	if !a.full {
		return success, nil
	}
	return encode(r.consistency())
}

// readDocument reads a whole document. One without sources, from the time of a single database, means the tables of the
// default source.
func (r *run) readDocument(a replaceArgs) (*metadata.Metadata, *action.Error) {
	under := func(e *action.Error) *action.Error {
		e.Path = a.path + e.Path
		return e
	}
	o := readObject(a.doc, "Metadata")
	form := o.integer("version")
	if o.err != nil {
		return nil, under(o.err)
	}
	old := form == nil && o.raw("sources") == nil || form != nil && (*form == 1 || *form == 2)
	if old {
		delete(o.fields, "version")
		tables, functions := o.fields["tables"], o.fields["functions"]
		delete(o.fields, "tables")
		delete(o.fields, "functions")
		sources, refused := r.oldSources(tables, functions)
		if refused != nil {
			return nil, refused
		}
		o.fields["sources"] = sources
	}
	doc, err := json.Marshal(o.fields)
	if err != nil {
		return nil, failed(err)
	}
	md, err := metadata.ParseDocument(doc, "$")
	if err != nil {
		return nil, under(shapeError(err))
	}
	if md.Rest == nil {
		md.Rest = map[string]json.RawMessage{}
	}
	if _, refused := readSources(md); refused != nil {
		return nil, under(refused)
	}
	for i := range md.Actions {
		if refused := checkTransforms(&md.Actions[i].Definition); refused != nil {
			return nil, under(refused.UnderIndex(i).Under("actions"))
		}
	}
	return md, nil
}

// oldSources puts tables and functions into the default source as it is.
func (r *run) oldSources(tables, functions json.RawMessage) (json.RawMessage, *action.Error) {
	sources, refused := readSources(r.md)
	if refused != nil {
		return nil, refused
	}
	found := false
	for i := range sources {
		if sources[i].text("name") != defaultSource {
			continue
		}
		found = true
		if metadata.KindOf(tables) == "Null" {
			tables = json.RawMessage("[]")
		}
		sources[i].set("tables", tables)
		sources[i].remove("functions")
		if metadata.KindOf(functions) != "Null" {
			sources[i].set("functions", functions)
		}
	}
	if !found {
		return nil, refuse(action.CodeNotSupported,
			"cannot import metadata without sources since no default source is defined")
	}
	return encode(sources)
}

// warnUnserved tells the operator about parts of a document that this gateway keeps and does not serve.
func (r *run) warnUnserved(md *metadata.Metadata) {
	var unserved []string
	for _, key := range []string{"remote_schemas", "query_collections", "cron_triggers", "rest_endpoints", "api_limits"} {
		if _, ok := md.Rest[key]; ok {
			unserved = append(unserved, key)
		}
	}
	if len(unserved) > 0 {
		r.api.log.WarnContext(r.ctx, "metadata holds what this gateway keeps and does not serve",
			slog.String("keys", strings.Join(unserved, ", ")))
	}
}

// dropInconsistentMetadata removes what is inconsistent until nothing is.
func dropInconsistentMetadata(r *run, _ command) ([]byte, *action.Error) {
	for {
		list := r.staged.Inconsistencies()
		if len(list) == 0 {
			return success, nil
		}
		md := r.edit()
		if refused := purge(md, list); refused != nil {
			return nil, refused
		}
		if refused := r.apply(md, rule{lenient: true}); refused != nil {
			return nil, refused
		}
		if len(r.staged.Inconsistencies()) >= len(list) {
			return nil, failed(errors.New("some inconsistent objects cannot be dropped"))
		}
	}
}

// purge takes inconsistent objects out of a document.
func purge(md *metadata.Metadata, list []metadata.Inconsistency) *action.Error {
	actions := map[string]bool{}
	for _, i := range list {
		switch i.Type {
		case "custom_types":
			md.CustomTypes = metadata.CustomTypes{}
		case "action":
			actions[strings.TrimPrefix(i.Name, "action ")] = true
		case "table":
			t, refused := parseTable(i.Definition)
			_, source, _ := strings.Cut(i.Name, " in source ")
			if refused == nil {
				refused = editTables(md, source, func(tables []members) []members { return without(tables, t) })
			}
			if refused != nil {
				return refused
			}
		}
	}
	kept := md.Actions[:0]
	for _, a := range md.Actions {
		if !actions[a.Name] {
			kept = append(kept, a)
		}
	}
	md.Actions = kept
	return nil
}
