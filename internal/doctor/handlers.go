package doctor

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/nself-org/nself/internal/env"
)

// handlerSeconds is how long a handler may take to answer its health check: it is on the same machine.
const handlerSeconds = 2

// What curl's exit codes mean.
const (
	curlNoName   = 6
	curlNoAnswer = 7
	curlTooLate  = 28
	noSuchFile   = 127
)

// checkHandlers calls the health check of each function service from inside Hasura's container, as Hasura will call its
// actions, and names the first hop that fails: the container, the variable with its address, the name, the port, the answer.
func checkHandlers(ctx context.Context, x *examiner) []Finding {
	if x.Driver != DriverDocker || x.engine().err != nil {
		return nil
	}
	hasura := x.container("hasura")
	if hasura == nil || hasura.State != container.StateRunning {
		return nil // nothing runs that could call
	}
	var wanted []env.Runtime
	for _, rt := range x.Config.Runtimes() {
		if rt.Enabled || rt.URL != "" {
			wanted = append(wanted, rt)
		}
	}
	found := make([]Finding, len(wanted))
	var wg sync.WaitGroup
	for i, rt := range wanted {
		wg.Go(func() {
			found[i] = x.handler(ctx, hasura, rt)
			found[i].Check = "handler " + rt.Name
		})
	}
	wg.Wait()
	return found
}

func (x *examiner) handler(ctx context.Context, hasura *container.Summary, rt env.Runtime) Finding {
	base := strings.TrimSuffix(cmp.Or(rt.URL, "http://"+rt.Name+":"+strconv.Itoa(rt.Port)), "/")
	if rt.URL == "" {
		c := x.container(rt.Name)
		switch {
		case c == nil:
			return Finding{Level: Fail, Detail: rt.Name + " has no container", Fix: "nself up " + rt.Name}
		case c.State != container.StateRunning:
			return Finding{
				Level:  Fail,
				Detail: fmt.Sprintf("the container of %s is %s", rt.Name, c.State),
				Fix:    "nself up " + rt.Name,
			}
		case !sharesNetwork(hasura, c):
			return Finding{
				Level: Fail, Fix: "nself restart " + rt.Name + " hasura",
				Detail: fmt.Sprintf(
					"hasura and %s are on different networks: %s and %s",
					rt.Name,
					networks(hasura),
					networks(c),
				),
			}
		}
	}
	variable := strings.ToUpper(rt.Name) + "_URL"
	details, err := x.engine().cli.ContainerInspect(ctx, hasura.ID)
	if err == nil && !slices.Contains(details.Config.Env, variable+"="+base) {
		return Finding{
			Level: Fail, Fix: "nself restart hasura",
			Detail: fmt.Sprintf(
				"hasura was started with another %s than %s, so that it calls elsewhere or nothing",
				variable,
				base,
			),
		}
	}
	answer, code, err := x.inContainer(ctx, hasura.ID, []string{
		"curl", "-sS", "-m", strconv.Itoa(handlerSeconds), "-o", "/dev/null", "-w", "%{http_code} in %{time_total} s", base + "/healthz",
	})
	if err != nil {
		return Finding{
			Level:  Warn,
			Detail: fmt.Sprintf("hasura's container cannot be asked: %v", err),
			Fix:    "nself logs hasura",
		}
	}
	return handlerFinding(rt, base, answer, code)
}

// handlerFinding reads what curl said in Hasura's container.
func handlerFinding(rt env.Runtime, base, answer string, code int) Finding {
	host := base
	if u, err := url.Parse(base); err == nil {
		host = u.Host
	}
	logs := "nself logs " + rt.Name
	if rt.URL != "" {
		logs = "curl -i " + base + "/healthz"
	}
	switch {
	case code == 0 && strings.HasPrefix(answer, "2"):
		return Finding{Level: OK, Detail: fmt.Sprintf("hasura reaches %s: %s", base, answer)}
	case code == 0:
		return Finding{
			Level:  Fail,
			Detail: fmt.Sprintf("hasura reaches %s, whose health check answers %s", base, answer),
			Fix:    logs,
		}
	case code == curlNoName:
		return Finding{
			Level:  Fail,
			Detail: "hasura's network knows no name " + host,
			Fix:    "nself restart " + rt.Name + " hasura",
		}
	case code == curlNoAnswer && rt.URL != "":
		return Finding{
			Level:  Fail,
			Detail: fmt.Sprintf("hasura finds %s, and nothing there takes its connection", host),
			Fix:    "start the handler, listening on 0.0.0.0",
		}
	case code == curlNoAnswer:
		return Finding{
			Level:  Fail,
			Detail: fmt.Sprintf("hasura finds the container of %s, and nothing in it listens on port %d", rt.Name, rt.Port),
			Fix:    logs,
		}
	case code == curlTooLate:
		return Finding{
			Level:  Fail,
			Detail: fmt.Sprintf("hasura is connected to %s, which does not answer within %d s", base, handlerSeconds),
			Fix:    logs,
		}
	case code >= noSuchFile-1 && code <= noSuchFile:
		return Finding{
			Level:  Warn,
			Detail: "the image of hasura has no curl, so that its way to the handlers is not examined",
			Fix:    "nself action check --call",
		}
	}
	return Finding{
		Level:  Fail,
		Detail: fmt.Sprintf("hasura does not reach %s: curl's exit code %d %s", base, code, answer),
		Fix:    logs,
	}
}

func sharesNetwork(a, b *container.Summary) bool {
	if a.NetworkSettings == nil || b.NetworkSettings == nil {
		return true // not told
	}
	for name := range a.NetworkSettings.Networks {
		if _, ok := b.NetworkSettings.Networks[name]; ok {
			return true
		}
	}
	return false
}

func networks(c *container.Summary) string {
	var names []string
	for name := range c.NetworkSettings.Networks {
		names = append(names, name)
	}
	slices.Sort(names)
	return cmp.Or(strings.Join(names, ", "), "none")
}

// inContainer runs a command and returns what it printed and its exit code.
func (x *examiner) inContainer(ctx context.Context, id string, command []string) (output string, code int, err error) {
	cli := x.engine().cli
	created, err := cli.ContainerExecCreate(
		ctx,
		id,
		container.ExecOptions{Cmd: command, AttachStdout: true, AttachStderr: true},
	)
	if err != nil {
		return "", 0, err
	}
	conn, err := cli.ContainerExecAttach(ctx, created.ID, container.ExecAttachOptions{})
	if err != nil {
		return "", 0, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, conn.Close)
	defer stop()
	var out, errs bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &errs, conn.Reader); err != nil {
		return "", 0, err
	}
	done, err := cli.ContainerExecInspect(ctx, created.ID)
	if err != nil {
		return "", 0, err
	}
	return strings.TrimSpace(out.String()), done.ExitCode, nil
}
