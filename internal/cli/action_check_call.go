package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/actioncall"
	"github.com/nself-org/nself/internal/actioncheck"
	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/ui"
)

// callHandlers calls the handlers that are named, or all, and tells where an answer is not what the action declares.
func callHandlers(ctx context.Context, opts *actionCheckOptions, dir string, md *metadata.Metadata) ([]actionFinding, error) {
	cfg, _, err := env.Load(dir, env.Options{Environ: opts.Environ})
	if err != nil {
		return nil, err
	}
	var findings []actionFinding
	for i := range md.Actions {
		a := &md.Actions[i]
		if len(opts.Names) > 0 && !slices.Contains(opts.Names, a.Name) {
			continue
		}
		c := &handlerCheck{cfg: cfg, md: md, action: a}
		if err := c.call(ctx, opts); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			c.add("error", err.Error(), strings.Join(errdefs.Hints(err), "; "))
		}
		findings = append(findings, c.findings...)
		t := opts.IO.ErrTheme()
		opts.IO.Notef("%s\n", t.Dim(c.said))
	}
	return findings, nil
}

// handlerCheck is the look at one handler.
type handlerCheck struct {
	cfg      *env.Config
	md       *metadata.Metadata
	action   *metadata.Action
	said     string // what was called, for a person
	findings []actionFinding
}

func (c *handlerCheck) add(severity, text, fix string) {
	c.findings = append(c.findings, actionFinding{
		Severity: severity, Rule: "answer", Action: c.action.Name, Place: c.action.Pos.String(),
		Text: fmt.Sprintf("action %q: %s", c.action.Name, text), Fix: fix,
	})
}

// call sends one call and judges the answer. The handler is called past the engine, except where the engine's transforms
// make the request or the answer what it is.
func (c *handlerCheck) call(ctx context.Context, opts *actionCheckOptions) error {
	a := c.action
	timeout := time.Duration(cmp.Or(a.Definition.Timeout, metadata.DefaultTimeout)) * time.Second
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	header, err := c.headers()
	if err != nil {
		return err
	}
	call := actioncall.Call{
		Action: a, Input: actioncheck.Sample(&c.md.CustomTypes, a), Role: opts.Role, UserID: opts.UserID, Header: header,
		Secret: c.cfg.Hasura.AdminSecret.Reveal(),
	}
	test := &actionTestOptions{IO: opts.IO, Direct: !transformed(a)}
	if transformed(a) && a.Definition.Kind == metadata.Asynchronous {
		c.said = a.Name + ": not called: its answer comes later, through transforms"
		return nil
	}
	resp, err := send(ctx, test, c.cfg, c.md, call)
	if err != nil {
		c.said = a.Name + ": no answer"
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			c.add("error", fmt.Sprintf("the handler did not answer within its timeout of %s", timeout), "make it faster, or nself action modify "+a.Name+" --timeout N or --async")
			return nil
		}
		return err
	}
	c.said = fmt.Sprintf("%s: POST %s -> %d in %s", a.Name, resp.URL, resp.Status, ui.Duration(resp.Duration))
	if test.Direct {
		c.judge(resp)
	} else {
		c.judgeData(resp)
	}
	if resp.Duration > timeout/2 {
		c.add("warning", fmt.Sprintf("the handler took %s of its timeout of %s", ui.Duration(resp.Duration), timeout),
			"nself action modify "+a.Name+" --timeout N, or --async")
	}
	return nil
}

// transformed tells whether the engine changes more of a call than its headers.
func transformed(a *metadata.Action) bool {
	if len(a.Definition.ResponseTransform) > 0 {
		return true
	}
	var keys map[string]json.RawMessage
	if json.Unmarshal(a.Definition.RequestTransform, &keys) != nil {
		return false
	}
	for _, key := range []string{"url", "method", "body", "query_params", "content_type"} {
		if _, ok := keys[key]; ok {
			return true
		}
	}
	return false
}

// headers are the action's configured headers with their variables filled in.
func (c *handlerCheck) headers() (http.Header, error) {
	vars := c.cfg.EngineEnv(c.cfg.LocalEndpoints())
	lookup := func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
	header := http.Header{}
	for _, h := range c.action.Definition.Headers {
		value := h.Value
		var missing []string
		if h.ValueFromEnv != "" {
			value = "{{" + h.ValueFromEnv + "}}"
		}
		if value, missing = metadata.ResolveHandler(value, lookup); len(missing) > 0 {
			return nil, errdefs.WithHint(fmt.Errorf("its header %s needs %s, which is set nowhere", h.Name, strings.Join(missing, ", ")),
				"nself config set "+missing[0]+" VALUE")
		}
		header.Set(h.Name, value)
	}
	return header, nil
}

// judge looks at what a handler answers itself.
func (c *handlerCheck) judge(resp *actioncall.Response) {
	var refusal struct {
		Message    *string `json:"message"`
		Code       string  `json:"code"`
		Extensions struct {
			Code string `json:"code"`
		} `json:"extensions"`
	}
	decoded := json.Unmarshal(resp.Body, &refusal) == nil && refusal.Message != nil
	code := cmp.Or(refusal.Extensions.Code, refusal.Code)
	switch {
	case resp.Status >= 200 && resp.Status < 300:
		c.shape(resp.Body)
	case resp.Status == http.StatusNotFound && !decoded:
		c.add("error", "nothing answers at "+resp.URL, "run nself build, and nself restart "+build.RuntimeOf(c.cfg, c.action.Definition.Handler))
	case strings.EqualFold(code, "NOT_IMPLEMENTED"):
		c.add("warning", "its handler is the stub that came with it", "write it")
	case resp.Status >= 400 && resp.Status < 500 && decoded:
		c.add("warning", "the handler refuses the sample input: "+*refusal.Message,
			"look with nself action test "+c.action.Name+" --direct --input '{...}'")
	case resp.Status >= 400 && resp.Status < 500:
		c.add("error", fmt.Sprintf("status %d without a message: Hasura answers \"internal error\" for it", resp.Status), `answer {"message": "..."}`)
	case decoded:
		c.add("error", fmt.Sprintf("the handler fails with status %d: %s", resp.Status, *refusal.Message), "look into nself logs")
	default:
		c.add("error", fmt.Sprintf("the handler fails with status %d", resp.Status), "look into nself logs")
	}
}

// judgeData looks at what the engine makes of a handler's answer.
func (c *handlerCheck) judgeData(resp *actioncall.Response) {
	var answer struct {
		Data   map[string]json.RawMessage `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(resp.Body, &answer); err != nil {
		c.add("error", fmt.Sprintf("the engine answers status %d and no JSON", resp.Status), "look into nself logs hasura")
		return
	}
	if len(answer.Errors) > 0 {
		c.add("error", "the engine answers: "+answer.Errors[0].Message, "look with nself action test "+c.action.Name)
		return
	}
	c.shape(answer.Data[c.action.Name])
}

func (c *handlerCheck) shape(body []byte) {
	found, err := actioncheck.Answer(&c.md.CustomTypes, c.action, body)
	if err != nil {
		c.add("error", err.Error(), "answer JSON of type "+c.action.Definition.OutputType)
	}
	for _, m := range found {
		c.add("error", m.String(), "answer what the SDL declares, or change the SDL with nself action modify "+c.action.Name+" --sdl FILE")
	}
}
