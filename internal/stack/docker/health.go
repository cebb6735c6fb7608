package docker

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// How a service that starts is watched. The engine runs the first health check only after a whole interval, so the same
// check is run here, as soon as the container is up.
const (
	probePace  = 200 * time.Millisecond
	probeLimit = 5 * time.Second
	maxAnswer  = 512
	// steadyTime is how long a container without a health check has to run to count as healthy.
	steadyTime   = time.Second
	crashLimit   = 5 // ends in a row after which a container is not waited for any more
	lastLogLines = 15
)

// errCrashing is a container that ends again and again.
var errCrashing = errors.New("ends again and again")

// await polls the service until it is healthy. It returns the last probe's answer; say is told it while it waits.
func (e *engine) await(ctx context.Context, cfg *env.Config, name, id string, say func(string)) (string, error) {
	tick := time.NewTicker(probePace)
	defer tick.Stop()
	begin := time.Now()
	last := "no answer yet"
	for {
		c, err := e.inspect(ctx, id)
		if ctx.Err() != nil {
			return last, ctx.Err()
		}
		if err != nil {
			return last, err
		}
		switch {
		case c.RestartCount >= crashLimit:
			return last, fmt.Errorf(
				"%w: %d times, the last with exit code %d%s",
				errCrashing,
				c.RestartCount+1,
				c.State.ExitCode,
				oom(c),
			)
		case !running(c):
			return last, fmt.Errorf("%w: it has ended with exit code %d%s", errCrashing, c.State.ExitCode, oom(c))
		case c.State.Restarting:
			last = fmt.Sprintf("it ended with exit code %d and is started again", c.State.ExitCode)
		case len(healthTest(c)) == 0 && max(time.Since(begin), time.Since(started(c))) < steadyTime:
			last = "it runs; it has no health check"
		default:
			answer, err := e.probe(ctx, cfg, name, c)
			if err == nil {
				return answer, nil
			}
			if ctx.Err() == nil {
				last = err.Error()
			}
		}
		say(last)
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-tick.C:
		}
	}
}

func oom(c container.InspectResponse) string {
	if c.State.OOMKilled {
		return " (it ran out of memory)"
	}
	return ""
}

// probe runs the container's health check once, and asks a function service whether it is ready, which its health check,
// made for restarts, does not tell.
func (e *engine) probe(ctx context.Context, cfg *env.Config, name string, c container.InspectResponse) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	if e.local() {
		for _, rt := range cfg.Runtimes() {
			if rt.Name == name {
				return stack.ProbeHTTP(ctx, rt.Port, "/healthz", "/readyz")
			}
		}
		if name == stack.Hasura {
			return stack.ProbeHTTP(ctx, cfg.Hasura.Port, "/healthz")
		}
	}
	test := healthTest(c)
	if len(test) == 0 {
		return "running; it has no health check", nil
	}
	var out bytes.Buffer
	code, err := e.run(ctx, c.ID, test, nil, nil, &out, &out)
	answer := strings.Join(strings.Fields(out.String()), " ")
	if len(answer) > maxAnswer {
		answer = answer[:maxAnswer]
	}
	if err != nil {
		return "", fmt.Errorf("health check: %w", err)
	}
	if code != 0 {
		if answer == "" {
			answer = strings.Join(test, " ")
		}
		return "", fmt.Errorf("health check: exit code %d: %s", code, answer)
	}
	return answer, nil
}

// healthTest is the command line of the container's health check, from the model or from its image.
func healthTest(c container.InspectResponse) []string {
	if c.Config == nil || c.Config.Healthcheck == nil || len(c.Config.Healthcheck.Test) == 0 {
		return nil
	}
	test := c.Config.Healthcheck.Test
	switch test[0] {
	case "CMD":
		return test[1:]
	case "CMD-SHELL":
		return []string{"/bin/sh", "-c", strings.Join(test[1:], " ")}
	}
	return nil
}

// hintFor says what to do about a service's last words.
func hintFor(name string, log []string) string {
	return cmp.Or(knownCause(strings.Join(log, "\n")), "see nself logs "+name)
}

// knownCause knows what usually is behind a text, and what to do then; "" when it does not.
func knownCause(text string) string {
	text = strings.ToLower(text)
	has := func(s string) bool { return strings.Contains(text, s) }
	switch {
	case has("password authentication failed"):
		return "the database was made with another password: set POSTGRES_PASSWORD back, or run nself down --volumes, which deletes its data"
	case has("no space left on device"):
		return "the disk is full: docker system df shows what the engine keeps, docker system prune frees what nothing uses"
	case has("database files are incompatible"):
		return "the data was written by another version of Postgres: set POSTGRES_IMAGE back, or dump and restore"
	case has("exec format error"):
		return "the image is for another kind of processor"
	}
	return ""
}

// engineFailed is what the engine did not do: its class, and what to do next.
func engineFailed(err error) error {
	return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(err, cmp.Or(knownCause(err.Error()), "see nself doctor")))
}

// stateOf is the state that a status shows for a container.
func (e *engine) stateOf(
	ctx context.Context,
	cfg *env.Config,
	name string,
	c container.InspectResponse,
) (stack.State, string) {
	switch {
	case c.State == nil:
		return stack.StateStopped, ""
	case c.State.Restarting:
		return stack.StateUnhealthy, fmt.Sprintf("ended with exit code %d, is started again%s", c.State.ExitCode, oom(c))
	case !c.State.Running:
		switch c.State.ExitCode {
		case 0, 130, 137, 143: // ended by itself, or by the signals that stop a container
			if c.State.OOMKilled {
				return stack.StateCrashed, "ran out of memory"
			}
			return stack.StateStopped, ""
		}
		return stack.StateCrashed, fmt.Sprintf("exit code %d", c.State.ExitCode)
	case c.State.Health != nil && c.State.Health.Status == container.Unhealthy:
		return stack.StateUnhealthy, lastProbe(c)
	}
	// What the engine saw may be an interval old; this is how it is now.
	answer, err := e.probe(ctx, cfg, name, c)
	if err == nil {
		return stack.StateHealthy, answer
	}
	if time.Since(started(c)) < time.Minute && (c.State.Health == nil || c.State.Health.Status == container.Starting) {
		return stack.StateStarting, err.Error()
	}
	return stack.StateUnhealthy, err.Error()
}

func lastProbe(c container.InspectResponse) string {
	if h := c.State.Health; h != nil && len(h.Log) > 0 {
		return strings.Join(strings.Fields(h.Log[len(h.Log)-1].Output), " ")
	}
	return ""
}

func firstHint(err error) string {
	if hints := errdefs.Hints(err); len(hints) > 0 {
		return hints[0]
	}
	return ""
}
