package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/hasura"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/ui"
)

// engineFlags name an engine other than the project's own.
type engineFlags struct {
	Endpoint string
	Secret   string
}

func (e *engineFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&e.Endpoint, "endpoint", "", "Talk to the engine at this `url` instead of the project's own")
	cmd.Flags().StringVar(&e.Secret, "admin-secret", "", "Give this `secret` instead of the project's")
}

// client opens the metadata API: the project's own engine, unless the flags say otherwise.
func (e *engineFlags) client(cfg *env.Config) *hasura.Client {
	c := &hasura.Client{Base: fmt.Sprintf("http://localhost:%d", cfg.Hasura.Port), Secret: cfg.Hasura.AdminSecret.Reveal()}
	if e.Endpoint != "" {
		c.Base = e.Endpoint
	}
	if e.Secret != "" {
		c.Secret = e.Secret
	}
	return c
}

// enginePatience is how long a command waits for an engine that is starting.
const (
	enginePatience = 15 * time.Second
	engineRetry    = 300 * time.Millisecond
)

type actionApplyOptions struct {
	IO     *ui.Streams
	Config func() (*env.Config, *env.Report, error)
	Now    func() time.Time

	Engine engineFlags
	Force  bool
	JSON   bool
}

func newActionApplyCmd(f *Factory, run func(context.Context, *actionApplyOptions) error) *cobra.Command {
	opts := &actionApplyOptions{IO: f.IO, Config: f.Config, Now: time.Now}
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make the files' metadata that of the running engine",
		Long: `Load hasura/metadata into the running engine, through its metadata API, and show what it cannot use: the object, the
reason, and what to do. The rest serves. nself up does the same at every start.

Edits that somebody has made on the engine since the last time, with the console or another tool, are not overwritten:
nself action diff shows them and nself action export brings them into the files. --force overwrites them and saves the
engine's metadata under .nself/backup. The exit code is 3 when the engine cannot use all of it, or was edited.`,
		Example: `  nself action apply
  nself action apply --force
  nself action apply --endpoint https://hasura.example.com --admin-secret "$SECRET"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	opts.Engine.add(cmd)
	cmd.Flags().BoolVar(&opts.Force, "force", false, "Overwrite what was edited on the engine, and save a copy of it")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON")
	return cmd
}

// applyResult is the outcome for scripts.
type applyResult struct {
	Changed      []changedObject         `json:"changed"`
	Edited       []changedObject         `json:"edited"`
	Applied      bool                    `json:"applied"`
	Backup       string                  `json:"backup,omitempty"`
	Inconsistent []inconsistencyFindings `json:"inconsistent"`
}

type changedObject struct {
	Object string `json:"object"`
	Change string `json:"change"`
}

type inconsistencyFindings struct {
	Object string `json:"object"`
	Reason string `json:"reason"`
	Fix    string `json:"fix"`
}

func runActionApply(ctx context.Context, opts *actionApplyOptions) error {
	cfg, _, err := opts.Config()
	if err != nil {
		return err
	}
	md, err := metadata.LoadDir(cfg.Dir)
	if err != nil {
		return err
	}
	client := opts.Engine.client(cfg)
	var out *hasura.Outcome
	err = hasura.Retry(ctx, enginePatience, engineRetry, func(ctx context.Context) error {
		var err error
		out, err = client.Apply(ctx, cfg.Dir, md, opts.Force)
		return err
	})
	if err != nil {
		return err
	}
	result := applyResult{
		Changed: changedObjects(
			out.Changed,
		), Edited: changedObjects(out.Edited), Applied: !out.Kept, Inconsistent: []inconsistencyFindings{},
	}
	for _, i := range out.Inconsistent {
		result.Inconsistent = append(
			result.Inconsistent,
			inconsistencyFindings{strings.TrimSpace(i.Name), i.Reason, hasura.Fix(i)},
		)
	}
	if out.Replaced != nil {
		if result.Backup, err = backupMetadata(cfg.Dir, out.Replaced, opts.Now()); err != nil {
			return err
		}
	}
	if opts.JSON {
		if err := opts.IO.JSON(result); err != nil {
			return err
		}
	} else {
		printApplied(opts.IO, client.Base, result)
	}
	if out.Kept {
		if opts.JSON {
			return &exitError{exitInvalid}
		}
		return errdefs.As(
			errdefs.ErrDrift,
			errdefs.WithHint(
				fmt.Errorf("%s was edited since the files were applied to it; nothing was changed", client.Base),
				"nself action diff shows the edits, nself action export brings them into the files, --force overwrites them",
			),
		)
	}
	if len(out.Inconsistent) > 0 {
		return &exitError{exitInvalid}
	}
	return nil
}

func changedObjects(list []metadata.Difference) []changedObject {
	out := []changedObject{}
	for _, d := range list {
		out = append(out, changedObject{d.Object, d.Change()})
	}
	return out
}

func printApplied(io *ui.Streams, base string, r applyResult) {
	t := io.OutTheme()
	switch {
	case !r.Applied:
		for _, o := range r.Edited {
			io.Printf("%s %s %s on the engine\n", t.Warn("!"), o.Object, o.Change)
		}
		return
	case len(r.Changed) == 0:
		io.Printf("%s %s says what the files say\n", t.Good("✓"), base)
	default:
		for _, o := range r.Changed {
			io.Printf("%s %s %s\n", t.Good("✓"), o.Object, o.Change)
		}
	}
	if r.Backup != "" {
		io.Printf("  %s\n", t.Dim("what the engine had is in "+r.Backup))
	}
	for _, i := range r.Inconsistent {
		io.Printf("%s %s: %s\n%s %s\n", t.Bad("inconsistent:"), i.Object, i.Reason, t.Good("         fix:"), i.Fix)
	}
}

// backupMetadata saves an engine's document in the project's backup folder, for its owner alone.
func backupMetadata(dir string, md *metadata.Metadata, now time.Time) (string, error) {
	data, err := json.MarshalIndent(md, "", "  ")
	if err != nil {
		return "", fmt.Errorf("save the engine's metadata: %w", err)
	}
	name := path.Join(".nself/backup", now.Format("20060102-150405")+"-metadata.json")
	if err := writePrivate(dir, name, append(data, '\n')); err != nil {
		return "", fmt.Errorf("save the engine's metadata: %w", err)
	}
	return name, nil
}
