package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/actionlog/postgres"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/worker"
)

// abandonedAfter is how long an entry may be worked on by nobody before it is run again. Only a real Hasura on the same
// database leaves such entries; the time is well above any timeout of a handler.
const abandonedAfter = 15 * time.Minute

// actionLogKey names the database of the log of asynchronous actions.
const actionLogKey = "HASURA_GRAPHQL_METADATA_DATABASE_URL"

// openActionLog keeps the entries of asynchronous actions in the project's database. It does not connect yet. Without a
// database they are kept in memory, and are lost when the engine stops.
func openActionLog(ctx context.Context, vars map[string]string, log *slog.Logger) (store actionlog.Store, closeLog func()) {
	url := vars[actionLogKey]
	if url == "" {
		log.WarnContext(ctx, "asynchronous actions are kept in memory", slog.String("reason", actionLogKey+" is not set"))
		return actionlog.NewMemory(0), func() {}
	}
	//nolint:contextcheck // the store outlives this call
	s, err := postgres.Open(postgres.Options{URL: url, Log: log, TakeOverAfter: abandonedAfter})
	if err != nil {
		log.WarnContext(ctx, "asynchronous actions are kept in memory", slog.String("reason", err.Error()))
		return actionlog.NewMemory(0), func() {}
	}
	return s, s.Close
}

// runActions runs asynchronous actions until ctx ends, from the first metadata on that has one: a project without them
// gets no tables for them.
func runActions(ctx context.Context, engine *gateway.Engine, w *worker.Worker) error {
	select {
	case <-engine.Async():
		return w.Run(ctx)
	case <-ctx.Done():
		return nil
	}
}

// numberSetting reads a whole number, 0 or more.
func numberSetting(vars map[string]string, key string, unset int) (int, error) {
	text := strings.TrimSpace(vars[key])
	if text == "" {
		return unset, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: %s: expected a whole number, 0 or more, got %q", errdefs.ErrInvalid, key, text)
	}
	return n, nil
}

// socketSettings reads the settings of WebSockets and of experimental features into o.
func socketSettings(vars map[string]string, o *gateway.Options) error {
	keepAlive, err := numberSetting(vars, "HASURA_GRAPHQL_WEBSOCKET_KEEPALIVE", 0)
	if err != nil {
		return err
	}
	init, err := numberSetting(vars, "HASURA_GRAPHQL_WEBSOCKET_CONNECTION_INIT_TIMEOUT", 0)
	if err != nil {
		return err
	}
	o.WebSocketKeepAlive = time.Duration(keepAlive) * time.Second
	o.WebSocketInitTimeout = time.Duration(init) * time.Second
	o.KeepWebSockets = isFalse(vars["HASURA_GRAPHQL_CLOSE_WEBSOCKETS_ON_METADATA_CHANGE"])
	for feature := range strings.SplitSeq(vars["HASURA_GRAPHQL_EXPERIMENTAL_FEATURES"], ",") {
		if strings.TrimSpace(feature) == "no_null_unbound_variable_default" {
			o.OmitUnboundVariables = true
		}
	}
	return nil
}
