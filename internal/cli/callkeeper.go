package cli

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/calllog"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/webhook"
)

// callsDir is where a project's calls are kept.
func callsDir(project string) string { return filepath.Join(project, ".nself", "calls") }

// callKeeper hands the gateway's calls to the log of calls.
type callKeeper struct{ log *calllog.Log }

var _ gateway.Recorder = (*callKeeper)(nil)

func newCallKeeper(cfg *env.Config, log *slog.Logger) *callKeeper {
	var secrets []string
	for _, v := range cfg.Values() {
		if v.Secret {
			secrets = append(secrets, v.Text)
		}
	}
	return &callKeeper{calllog.New(callsDir(cfg.Dir), secrets, log)}
}

// Record copies what is kept of a call.
func (k *callKeeper) Record(c *gateway.RecordedCall) {
	e := calllog.Entry{
		Time: calllog.Now(), Action: c.Action, Role: c.Role, Session: maps.Clone(c.Session), Headers: keptHeaders(c.Header),
		Input: bytes.Clone(c.Input), Status: c.Status, Response: bytes.Clone(c.Response),
		Took: float64(c.Took.Microseconds()) / 1000, RequestID: c.RequestID, ActionID: c.ActionID,
	}
	e.Failed, e.Error = outcome(c)
	k.log.Add(e)
}

// keptHeaders are the client's own headers: those that every HTTP client sends say nothing about a call.
func keptHeaders(h http.Header) map[string]string {
	kept := map[string]string{}
	for name, values := range h {
		if len(values) == 0 || strings.HasPrefix(strings.ToLower(name), "x-hasura-") ||
			slices.ContainsFunc(webhook.DefaultIgnored(), func(ignored string) bool { return strings.EqualFold(name, ignored) }) {
			continue
		}
		kept[name] = values[0]
	}
	return kept
}

// outcome says whether a call failed, and why: for the client, or by a business rule.
func outcome(c *gateway.RecordedCall) (failed bool, why string) {
	if c.Err != nil {
		return true, c.Err.Message
	}
	return unsuccessful(c.Response)
}

// unsuccessful tells whether a handler's answer says that a business rule has failed the call, and why.
func unsuccessful(response []byte) (failed bool, why string) {
	if !bytes.Contains(response, []byte(`"success"`)) {
		return false, ""
	}
	var answer struct {
		Success *bool
		Message string
	}
	if json.Unmarshal(response, &answer) != nil || answer.Success == nil || *answer.Success {
		return false, ""
	}
	return true, answer.Message
}
