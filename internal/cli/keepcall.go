package cli

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	"github.com/nself-org/nself/internal/actioncall"
	"github.com/nself-org/nself/internal/calllog"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ui"
)

// callSender sends calls through the engine for a person. The native driver's engine keeps each call that it makes. Hasura
// in a container keeps none: there the call is kept as it looks from outside, so that it can be listed and sent again.
type callSender struct {
	// EngineKeeps reports whether the project in a folder runs on an engine that keeps its calls.
	EngineKeeps func(ctx context.Context, projectDir string) bool
	Log         *slog.Logger
}

// keep records a call with the engine's answer, unless the engine has done so.
func (s callSender) keep(ctx context.Context, io *ui.Streams, cfg *env.Config, call actioncall.Call, resp *actioncall.Response) {
	if s.EngineKeeps(ctx, cfg.Dir) {
		return
	}
	input, err := json.Marshal(call.Input)
	if err != nil {
		return
	}
	e := calllog.Entry{
		Time: calllog.Now(), Action: call.Action.Name, Role: call.Role, Session: map[string]string{}, Headers: keptHeaders(call.Header),
		Input: input, Took: float64(resp.Duration.Microseconds()) / 1000, FromEngine: true,
	}
	if e.Role == "" {
		e.Role = "admin"
	}
	e.Session["x-hasura-role"] = e.Role
	if call.UserID != "" {
		e.Session["x-hasura-user-id"] = call.UserID
	}
	for name, values := range call.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-hasura-") && len(values) > 0 {
			e.Session[lower] = values[0]
		}
	}
	e.Response, e.Failed, e.Error = engineAnswer(call.Action.Name, resp)
	keeper := newCallKeeper(cfg, s.Log)
	keeper.log.Add(e)
	done, cancel := context.WithCancel(ctx)
	cancel() // what was added is written, and that is all
	if err := keeper.log.Run(done); err != nil {
		printWarning(io, "the call was not kept: "+err.Error(), strings.Join(errdefs.Hints(err), "; "))
	}
}

// engineAnswer is what a call has got, as far as the engine tells.
func engineAnswer(action string, resp *actioncall.Response) (answer json.RawMessage, failed bool, why string) {
	var body struct {
		Data   map[string]json.RawMessage
		Errors []struct{ Message string }
	}
	if json.Unmarshal(resp.Body, &body) != nil {
		return resp.Body, true, http.StatusText(resp.Status)
	}
	if len(body.Errors) > 0 {
		return resp.Body, true, body.Errors[0].Message
	}
	if answer = body.Data[action]; answer == nil {
		return resp.Body, resp.Failed, ""
	}
	failed, why = unsuccessful(answer)
	return answer, failed || resp.Failed, why
}
