package native

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// listenLocal opens a port of this machine's own address.
func listenLocal(ctx context.Context, port int) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(fmt.Errorf("listen on port %d: %w", port, err),
			"see with nself doctor which setting names the port and who holds it"))
	}
	return ln, nil
}

// engineProgram is the GraphQL engine, inside the supervisor.
type engineProgram struct {
	sup *supervisor
	cfg *env.Config
	out *logFile

	mu     sync.Mutex
	engine Engine
}

var _ program = (*engineProgram)(nil)

func newEngine(s *supervisor, cfg *env.Config, out *logFile) program {
	return &engineProgram{sup: s, cfg: cfg, out: out}
}

// fingerprint covers all that the engine is given: handler URLs and forwarded secrets too.
func (e *engineProgram) fingerprint() string {
	parts := sortedPairs(e.cfg.EngineEnv(e.cfg.LocalEndpoints()))
	return fingerprint(append([]string{"engine", strconv.Itoa(e.cfg.Hasura.Port), e.cfg.Env}, parts...)...)
}

func sortedPairs(m map[string]string) []string {
	pairs := make([]string, 0, len(m))
	for k, v := range m {
		pairs = append(pairs, k+"="+v)
	}
	slices.Sort(pairs)
	return pairs
}

func (e *engineProgram) info() stack.Facts { return stack.FactsOf(e.cfg, stack.Hasura) }

func (e *engineProgram) prepare(context.Context, func(stack.Event)) error { return nil }

func (e *engineProgram) beforeStart(ctx context.Context) error {
	if e.sup.Engine == nil {
		return permanent(errors.New("this build of nself has no GraphQL engine"))
	}
	log := slog.New(slog.NewJSONHandler(e.out, nil))
	engine, err := e.sup.Engine(ctx, e.cfg, log)
	if err != nil {
		return permanent(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.engine = engine
	return nil
}

func (e *engineProgram) run(ctx context.Context, started func(int)) (err error) {
	defer recovered(stack.Hasura, &err)
	ln, err := listenLocal(ctx, e.cfg.Hasura.Port)
	if err != nil {
		return err
	}
	started(0)
	e.mu.Lock()
	engine := e.engine
	e.mu.Unlock()
	return within(ctx, inProcessStop, func(ctx context.Context) error { return engine.Run(ctx, ln) })
}

// inProcessStop is how long a service inside the supervisor may take to end. One that takes longer is left behind: it
// ends with the supervisor.
const inProcessStop = 1500 * time.Millisecond

// within runs f and gives it d to return after ctx has ended.
func within(ctx context.Context, d time.Duration, f func(context.Context) error) error {
	result := make(chan error, 1)
	go func() {
		var err error
		defer func() { result <- err }()
		defer recovered("service", &err)
		err = f(ctx)
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case err := <-result:
		return err
	case <-timer.C:
		return ctx.Err()
	}
}

func (e *engineProgram) probe(ctx context.Context) (string, error) {
	return stack.ProbeHTTP(ctx, e.cfg.Hasura.Port, "/healthz")
}

func (e *engineProgram) reload(ctx context.Context) error {
	e.mu.Lock()
	engine := e.engine
	e.mu.Unlock()
	if engine == nil {
		return nil
	}
	return engine.Reload(ctx)
}

// mailProgram is the mail catcher, inside the supervisor.
type mailProgram struct {
	sup *supervisor
	cfg *env.Config
	out *logFile
}

var _ program = (*mailProgram)(nil)

func newMail(s *supervisor, cfg *env.Config, out *logFile) program {
	return &mailProgram{sup: s, cfg: cfg, out: out}
}

func (m *mailProgram) fingerprint() string {
	return fingerprint("mail", strconv.Itoa(m.cfg.Mail.SMTPPort), strconv.Itoa(m.cfg.Mail.UIPort), m.cfg.Mail.From)
}

func (m *mailProgram) info() stack.Facts { return stack.FactsOf(m.cfg, stack.Mail) }

func (m *mailProgram) prepare(context.Context, func(stack.Event)) error { return nil }

func (m *mailProgram) beforeStart(context.Context) error {
	if m.sup.Mail == nil {
		return permanent(errors.New("this build of nself has no mail catcher"))
	}
	return nil
}

func (m *mailProgram) run(ctx context.Context, started func(int)) (err error) {
	defer recovered(stack.Mail, &err)
	smtp, err := listenLocal(ctx, m.cfg.Mail.SMTPPort)
	if err != nil {
		return err
	}
	page, err := listenLocal(ctx, m.cfg.Mail.UIPort)
	if err != nil {
		return errors.Join(err, smtp.Close())
	}
	started(0)
	log := slog.New(slog.NewJSONHandler(m.out, nil))
	return within(ctx, inProcessStop, func(ctx context.Context) error { return m.sup.Mail(ctx, m.cfg, smtp, page, log) })
}

func (m *mailProgram) probe(ctx context.Context) (string, error) {
	return stack.ProbeHTTP(ctx, m.cfg.Mail.UIPort, "/")
}
