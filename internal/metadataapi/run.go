package metadataapi

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/metadata"
)

// commitTimeout bounds storing a change. It does not end with the client's patience: a change is made whole or not at
// all.
const commitTimeout = 30 * time.Second

// run is one request. It works on its own copy of the metadata, which comes into force at the end or not at all.
type run struct {
	ctx      context.Context //nolint:containedctx // a run lives as long as its request
	api      *API
	endpoint endpoint
	depth    int // of bulks around the current command

	base     *state
	md       *metadata.Metadata
	staged   *gateway.Staged
	reloaded bool // to be swapped in though the metadata is the same

	txs      map[string]*sourceTx
	catalogs map[string]*catalog
	dropped  []string // actions whose entries in the log go with the change
}

// execute runs one command of a request that may change something.
func (a *API) execute(ctx context.Context, ep endpoint, c command) ([]byte, *action.Error) {
	if err := a.acquire(ctx); err != nil {
		return nil, failed(err)
	}
	defer a.release()
	if err := a.refresh(ctx, false); err != nil {
		a.log.ErrorContext(ctx, "metadata not reloaded", slog.String("error", err.Error()))
		return nil, withInternal(failed(errors.New("the metadata could not be read")), err.Error())
	}
	r := a.begin(ctx, ep)
	defer r.rollback(ctx)
	if c.version != nil && *c.version != r.base.version {
		return nil, conflict(*c.version)
	}
	answer, refused := r.dispatch(c)
	if refused == nil {
		refused = r.commit(ctx)
	}
	if refused != nil {
		return nil, refused
	}
	return answer, nil
}

// begin starts a run on the metadata in force.
func (a *API) begin(ctx context.Context, ep endpoint) *run {
	base := a.current.Load()
	return &run{ctx: ctx, api: a, endpoint: ep, base: base, md: base.md, staged: base.staged}
}

func conflict(version int64) *action.Error {
	return &action.Error{
		Status: http.StatusConflict, Code: codeConflict,
		Message: "metadata resource version referenced (" + strconv.FormatInt(version, 10) +
			") did not match current version",
	}
}

// edit returns a copy of the metadata whose lists may be changed; what they hold may not.
func (r *run) edit() *metadata.Metadata {
	md := *r.md
	md.Actions = slices.Clone(md.Actions)
	md.InheritedRoles = slices.Clone(md.InheritedRoles)
	if md.Rest = maps.Clone(md.Rest); md.Rest == nil {
		md.Rest = map[string]rawJSON{}
	}
	return &md
}

// rule says which inconsistencies a change may lead to.
type rule struct {
	// object is what is created or updated, by its name in lists of inconsistent objects: it must be consistent.
	object string
	// drops tells that the change only takes away.
	drops bool
	// strict: the result must be consistent as a whole. lenient: anything goes. Otherwise nothing may become inconsistent
	// that was not before.
	strict, lenient bool
}

// apply makes md the metadata of the run, if the rule allows what comes of it.
func (r *run) apply(md *metadata.Metadata, rule rule) *action.Error {
	staged, err := r.stage(md)
	if err != nil {
		return failed(err)
	}
	if refused := rule.check(staged.Inconsistencies(), r.staged.Inconsistencies()); refused != nil {
		return refused
	}
	r.md, r.staged = md, staged
	return nil
}

func (rule rule) check(now, before []metadata.Inconsistency) *action.Error {
	if rule.lenient {
		return nil
	}
	if rule.strict {
		if len(now) == 0 {
			return nil
		}
		return withInternal(refuse(action.CodeUnexpected, "cannot continue due to inconsistent metadata"), now)
	}
	known := map[string]bool{}
	for _, i := range before {
		known[i.Name] = true
	}
	var own, others []metadata.Inconsistency
	for _, i := range now {
		switch {
		case i.Name == rule.object:
			own = append(own, i)
		case !known[i.Name]:
			others = append(others, i)
		}
	}
	switch {
	case len(own) > 0:
		return withInternal(refuse(codeInvalidConfig, own[0].Reason), own)
	case len(others) == 0:
		return nil
	case rule.drops:
		e := refuse(action.CodeUnexpected, "cannot continue due to newly found inconsistent metadata")
		e.Status = http.StatusInternalServerError
		return withInternal(e, others)
	default:
		return withInternal(refuse(action.CodeUnexpected, "cannot continue due to new inconsistent metadata"), others)
	}
}

// stage prepares metadata with what the databases say about it.
func (r *run) stage(md *metadata.Metadata) (*gateway.Staged, error) {
	facts, inconsistencies := r.facts(md)
	staged, err := r.api.opt.Engine.Stage(md, facts)
	if err != nil {
		return nil, err
	}
	staged.Report(inconsistencies...)
	return staged, nil
}

// commit stores the run's metadata, commits its SQL and brings the metadata into force. After an error nothing has
// changed, unless the error says so.
func (r *run) commit(ctx context.Context) *action.Error {
	changed, err := r.changed()
	if err != nil {
		return failed(err)
	}
	if !changed && !r.reloaded && len(r.txs) == 0 {
		return nil
	}
	// From here on the client cannot interrupt: either all of it happens or none.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if refused := r.prepareSQL(ctx); refused != nil {
		return refused
	}
	next := &state{md: r.md, version: r.base.version, staged: r.staged, catalogs: r.catalogs}
	if changed {
		version, err := r.api.opt.Store.Save(ctx, r.md, r.base.version)
		if err != nil {
			return r.notSaved(err)
		}
		next.version = version
	}
	if refused := r.commitSQL(ctx); refused != nil {
		return refused
	}
	if r.staged != r.base.staged {
		r.api.swap(next)
	}
	return r.dropEntries(ctx)
}

// changed tells whether the run's metadata says something else than that in force.
func (r *run) changed() (bool, error) {
	if r.md == r.base.md {
		return false, nil
	}
	before, err := r.base.md.MarshalJSON()
	if err != nil {
		return false, err
	}
	after, err := r.md.MarshalJSON()
	return !bytes.Equal(before, after), err
}

func (r *run) notSaved(err error) *action.Error {
	switch {
	case errors.Is(err, ErrConflict):
		return conflict(r.base.version)
	case errors.Is(err, ErrReadOnly):
		return refuse(action.CodeNotSupported, "the metadata is that of the project's files and cannot be changed over "+
			"the API: edit the files in "+metadata.Folder)
	default:
		r.api.log.ErrorContext(r.ctx, "metadata not stored", slog.String("error", err.Error()))
		return withInternal(failed(errors.New("the metadata could not be stored")), err.Error())
	}
}

// dropEntries removes dropped actions from the action log, now that they are gone for good.
func (r *run) dropEntries(ctx context.Context) *action.Error {
	if r.api.opt.ActionLog == nil {
		return nil
	}
	for _, name := range r.dropped {
		if _, err := r.api.opt.ActionLog.Drop(ctx, name); err != nil {
			r.api.log.ErrorContext(ctx, "action log not cleared", slog.String("action", name), slog.String("error", err.Error()))
			return failed(errors.New("action \"" + name + "\" was dropped, but its entries in the action log were not"))
		}
	}
	return nil
}
