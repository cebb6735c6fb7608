package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/stack"
)

// tunnel carries bytes between its own streams and a port inside the container, with what the images have: busybox's nc on
// Alpine, bash elsewhere. It ends when the server does, and soon after its own input.
const tunnel = `if command -v nc >/dev/null 2>&1; then exec nc 127.0.0.1 "$0"; fi
exec bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" 4<&0 || exit 1
{ cat <&4 >&3; sleep 2; kill $$; } >/dev/null 2>&1 &
exec cat <&3' "$0"`

// reached returns the configuration with ports under which this machine reaches a service. On an engine of this machine
// they are the published ones. On another machine those are published to that machine only, so a port of this one is
// forwarded through the engine, until stop is called.
func (e *engine) reached(ctx context.Context, cfg *env.Config, name, id string) (there *env.Config, stop func(), err error) {
	if e.local() {
		return cfg, func() {}, nil
	}
	inside := 8080
	if name == stack.Postgres {
		inside = 5432
	}
	port, stop, err := e.forward(ctx, id, inside)
	if err != nil {
		return nil, nil, err
	}
	copied := *cfg
	if name == stack.Postgres {
		copied.Postgres.Port = port
	} else {
		copied.Hasura.Port = port
	}
	return &copied, stop, nil
}

// forward listens on a free port of this machine's loopback address and carries each connection to a port inside a
// container.
func (e *engine) forward(ctx context.Context, id string, inside int) (port int, stop func(), err error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, engineFailed(fmt.Errorf("forward a port: %w", err))
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { e.carry(ctx, id, inside, conn) })
		}
	})
	return ln.Addr().(*net.TCPAddr).Port, func() {
		cancel()
		_ = ln.Close()
		wg.Wait()
	}, nil
}

// carry serves one connection until either side ends it.
func (e *engine) carry(ctx context.Context, id string, inside int, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	created, err := e.api.ExecCreate(ctx, id, client.ExecCreateOptions{
		Cmd: []string{"sh", "-c", tunnel, strconv.Itoa(inside)}, AttachStdin: true, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return
	}
	there, err := e.api.ExecAttach(ctx, created.ID, client.ExecAttachOptions{})
	if err != nil {
		return
	}
	defer there.Close()
	stop := context.AfterFunc(ctx, func() {
		there.Close()
		_ = conn.Close()
	})
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(there.Conn, conn)
		_ = there.CloseWrite()
	})
	if _, err := stdcopy.StdCopy(conn, io.Discard, there.Reader); err != nil && !errors.Is(err, io.EOF) {
		there.Close()
	}
	_ = conn.Close()
	wg.Wait()
}
