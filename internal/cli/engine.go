package cli

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nself-org/nself/internal/calllog"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/metadataapi"
	"github.com/nself-org/nself/internal/stack/native"
)

const (
	// metadataPoll is how often the project's metadata is looked at for changes: soon enough that a saved file answers
	// before a person has switched windows, and cheap, since only names, sizes and times are read.
	metadataPoll = 100 * time.Millisecond
	// projectDrain is how long requests under way may take when a project's engine stops.
	projectDrain = time.Second
)

// newProjectEngine builds the engine of a project: it serves the metadata of the project's folder and follows its
// changes. Metadata with faults does not keep it from starting: the faults are in the log.
func newProjectEngine(ctx context.Context, cfg *env.Config, log *slog.Logger) (native.Engine, error) {
	settings, err := readEngineSettings(cfg.EngineEnv(cfg.LocalEndpoints()))
	if err != nil {
		return nil, err
	}
	settings.SyncInterval, settings.Drain = metadataPoll, projectDrain
	files := func(context.Context, *pgxpool.Pool) (metadataapi.Store, error) {
		return metadataapi.NewDirStore(cfg.Dir), nil
	}
	keeper := newCallKeeper(cfg, log)
	settings.Gateway.Recorder = keeper
	core, err := newEngineCore(ctx, settings, files, log)
	if err != nil {
		return nil, err
	}
	return &projectEngine{engineCore: core, calls: keeper.log}, nil
}

// projectEngine is the engine of a project: it keeps the last calls, to look at and to send again.
type projectEngine struct {
	*engineCore
	calls *calllog.Log
}

// Run serves on ln until ctx ends.
func (e *projectEngine) Run(ctx context.Context, ln net.Listener) error {
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	written := make(chan error, 1)
	go func() { written <- e.calls.Run(writing) }()
	err := e.engineCore.Run(ctx, ln)
	stop()
	return errors.Join(err, <-written)
}

// engineVersion is what /v1/version reports.
func engineVersion() string { return "nself-" + readVersion().Version }
