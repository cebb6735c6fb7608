package docker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/hasura"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/stack"
)

// How long Hasura may refuse its metadata: it answers /healthz before its catalogue is in place.
const (
	metadataPatience = 30 * time.Second
	metadataRetry    = 300 * time.Millisecond
)

// maxNamed bounds how many objects a message names.
const maxNamed = 5

// applyMetadata makes the project's metadata Hasura's. Edits that were made on Hasura, with its console, are not
// overwritten: the user is told how to bring them into the files. What Hasura cannot use is reported object by object, and
// the rest serves.
func (a *ascent) applyMetadata(ctx context.Context, cfg *env.Config) error {
	md, err := a.Metadata(cfg.Dir)
	if err != nil {
		return errdefs.As(errdefs.ErrInvalid, fmt.Errorf("read the metadata: %w", err))
	}
	client := &hasura.Client{
		Base:   fmt.Sprintf("http://127.0.0.1:%d", cfg.Hasura.Port),
		Secret: cfg.Hasura.AdminSecret.Reveal(),
	}
	var out *hasura.Outcome
	err = hasura.Retry(ctx, metadataPatience, metadataRetry, func(ctx context.Context) error {
		var err error
		out, err = client.Apply(ctx, cfg.Dir, md, false)
		return err
	})
	if err != nil {
		return err
	}
	for _, i := range out.Inconsistent {
		a.report(stack.Event{
			Service: stack.Hasura, Kind: stack.EventWarning, Hint: hasura.Fix(i),
			Detail: fmt.Sprintf("metadata: %s: %s", strings.TrimSpace(i.Name), i.Reason),
		})
	}
	switch {
	case out.Kept:
		a.report(stack.Event{
			Service: stack.Hasura, Kind: stack.EventWarning, Detail: "its metadata was edited since it was applied (" + named(out.Edited) +
				"), so that the files were not applied: nself action diff shows it, nself action export brings it into the files, " +
				"nself action apply overwrites it",
		})
	case len(out.Changed) > 0 && len(out.Inconsistent) == 0:
		a.report(stack.Event{
			Service: stack.Hasura, Kind: stack.EventNote, Detail: fmt.Sprintf("metadata applied: %d actions", len(md.Actions)),
		})
	}
	return nil
}

// named lists the objects of differences for a sentence.
func named(list []metadata.Difference) string {
	var names []string
	for _, d := range list[:min(len(list), maxNamed)] {
		names = append(names, d.Object+" "+d.Change())
	}
	text := strings.Join(names, ", ")
	if more := len(list) - maxNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
