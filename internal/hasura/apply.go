package hasura

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nself-org/nself/internal/metadata"
)

// appliedFile is what an engine's metadata was after the last apply, relative to the project: by it an edit that was made
// on the engine is told from one in the files.
const appliedFile = ".nself/run/metadata-applied.json"

// Outcome is what [Client.Apply] has done.
type Outcome struct {
	// Changed is what the files changed on the engine, from the engine (A) to the files (B); empty where both agreed.
	Changed []metadata.Difference
	// Edited is what was changed on the engine since the last apply, from what was applied (A) to the engine (B).
	Edited []metadata.Difference
	// Kept tells that the engine's edits were left as they are and nothing was applied.
	Kept bool
	// Replaced is the engine's document of before, where edits in it were overwritten.
	Replaced *metadata.Metadata
	// Inconsistent is what the engine cannot use.
	Inconsistent []metadata.Inconsistency
}

// Apply makes the project's metadata that of the engine. Edits that were made on the engine since the last time, by the
// console or another tool, are overwritten when overwrite is set; else nothing is applied and Outcome.Kept tells it. An
// engine that serves the project's files reads them again.
func (c *Client) Apply(ctx context.Context, projectDir string, md *metadata.Metadata, overwrite bool) (*Outcome, error) {
	server, version, err := c.Export(ctx)
	if err != nil {
		return nil, err
	}
	out := &Outcome{}
	if out.Changed, err = metadata.Compare(server, md); err != nil {
		return nil, err
	}
	if len(out.Changed) == 0 {
		if out.Inconsistent, err = c.Inconsistencies(ctx); err != nil {
			return nil, err
		}
		return out, remember(projectDir, server)
	}
	if out.Edited, err = edits(projectDir, server); err != nil {
		return nil, err
	}
	if len(out.Edited) > 0 && !overwrite {
		out.Kept = true
		out.Inconsistent, err = c.Inconsistencies(ctx)
		return out, err
	}
	out.Inconsistent, err = c.Replace(ctx, md, version)
	if IsReadOnly(err) {
		if err = c.Reload(ctx); err == nil {
			out.Inconsistent, err = c.Inconsistencies(ctx)
		}
		return out, err
	}
	if err != nil {
		return nil, err
	}
	if len(out.Edited) > 0 {
		out.Replaced = server
	}
	if server, _, err = c.Export(ctx); err != nil {
		return nil, err
	}
	return out, remember(projectDir, server)
}

// edits returns what an engine's document says beyond what was applied to it. Nothing is known of one that was never
// applied to: all that it has counts.
func edits(projectDir string, server *metadata.Metadata) ([]metadata.Difference, error) {
	if server.Empty() {
		return nil, nil
	}
	base, err := Applied(projectDir)
	if err != nil {
		return nil, err
	}
	if base == nil {
		base = &metadata.Metadata{}
	}
	return metadata.Compare(base, server)
}

// Applied is the engine's document after the last apply of this project; nil where there was none.
func Applied(projectDir string) (*metadata.Metadata, error) {
	data, err := os.ReadFile(filepath.Join(projectDir, filepath.FromSlash(appliedFile)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there was no apply
	}
	if err != nil {
		return nil, fmt.Errorf("read what was applied last: %w", err)
	}
	md, err := metadata.ParseDocument(data, "$")
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // a broken note is none
	}
	return md, nil
}

// Agree notes that files and engine say the same now.
func Agree(projectDir string, server *metadata.Metadata) error { return remember(projectDir, server) }

// remember notes an engine's document; it may hold the values of headers, and is for its owner alone.
func remember(projectDir string, md *metadata.Metadata) error {
	data, err := json.Marshal(md)
	if err != nil {
		return fmt.Errorf("write what was applied: %w", err)
	}
	path := filepath.Join(projectDir, filepath.FromSlash(appliedFile))
	if old, err := os.ReadFile(path); err == nil && string(old) == string(data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write what was applied: %w", err)
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return fmt.Errorf("write what was applied: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("write what was applied: %w", err)
	}
	return nil
}

// Fix is the advice for an object that the engine cannot use.
func Fix(i metadata.Inconsistency) string {
	reason := strings.ToLower(i.Reason)
	switch {
	case strings.Contains(reason, "environment variable"):
		return "set the variable with nself config set, then run nself restart hasura"
	case strings.Contains(reason, "no such table") || i.Type == "table" && strings.Contains(reason, "exist"):
		return "write a migration that creates it and run nself up, or stop tracking it in hasura/metadata/databases"
	case i.Type == "source":
		return "check that the engine reaches the database: nself logs hasura, nself doctor"
	case i.Type == "remote_schema":
		return "check that the engine reaches the schema's URL from where it runs, then run nself action apply"
	case i.Type == "action" || i.Type == "custom_types":
		return "nself action check names the file and the line"
	}
	return "correct it in hasura/metadata and run nself action apply"
}
