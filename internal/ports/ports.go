// Package ports tells whether a TCP port of this machine is taken, by whom, and which one nearby is free.
package ports

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	psnet "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
)

// The marks by which [Find] recognizes a process of a nself project: variables that the native driver puts into the
// environment of what it starts.
const (
	EnvProject = "NSELF_PROJECT_DIR"
	EnvService = "NSELF_SERVICE"
)

// maxAncestors bounds the walk from a process to the supervisor above it.
const maxAncestors = 8

// Holder is the process that listens on a port.
type Holder struct {
	Port int `json:"port"`
	// PID is 0 when the system does not tell us, as for processes of other users.
	PID     int    `json:"pid,omitempty"`
	Name    string `json:"name,omitempty"`
	User    string `json:"user,omitempty"`
	Command string `json:"-"` // the command line; may hold secrets, so it is not printed
	// Project is the folder of the nself project that the process belongs to, and Service its service; both are empty
	// for a stranger. Service is empty too for what runs inside the supervisor.
	Project string `json:"project,omitempty"`
	Service string `json:"service,omitempty"`
}

// String describes the holder to a person: `redis-server (pid 812, user redis)`.
func (h Holder) String() string {
	if h.PID == 0 {
		return "a process that this user may not see"
	}
	facts := "pid " + strconv.Itoa(h.PID)
	if h.User != "" {
		facts += ", user " + h.User
	}
	switch {
	case h.Project != "" && h.Service != "":
		return fmt.Sprintf("%s of the nself project %s (%s, %s)", h.Service, h.Project, h.Name, facts)
	case h.Project != "":
		return fmt.Sprintf("the nself project %s (%s)", h.Project, facts)
	}
	return fmt.Sprintf("%s (%s)", h.Name, facts)
}

// InUse reports whether a program on this machine could not listen on the port of localhost, in IPv4 or IPv6.
func InUse(ctx context.Context, port int) bool {
	for _, host := range []string{"127.0.0.1", "::1"} {
		var lc net.ListenConfig
		ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			if ln.Close() != nil {
				return true
			}
			continue
		}
		if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES) {
			return true
		}
	}
	return false
}

// Find returns the process that listens on the port, and nil when none is known to.
func Find(ctx context.Context, port int) (*Holder, error) {
	conns, err := psnet.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return nil, fmt.Errorf("list the sockets of this machine: %w", err)
	}
	found := false
	for _, c := range conns {
		if c.Status != "LISTEN" || int(c.Laddr.Port) != port {
			continue
		}
		found = true
		if c.Pid != 0 {
			return describe(ctx, port, c.Pid), nil
		}
	}
	if found {
		return &Holder{Port: port}, nil
	}
	return nil, nil //nolint:nilnil // nobody holds the port, and that is an answer
}

func describe(ctx context.Context, port int, pid int32) *Holder {
	h := &Holder{Port: port, PID: int(pid), Name: "unknown program"}
	p, err := process.NewProcessWithContext(ctx, pid)
	if err != nil {
		return h
	}
	if name, err := p.NameWithContext(ctx); err == nil {
		h.Name = name
	}
	if user, err := p.UsernameWithContext(ctx); err == nil {
		h.User = user
	}
	if cmd, err := p.CmdlineWithContext(ctx); err == nil {
		h.Command = cmd
	}
	h.Project, h.Service = owner(ctx, p)
	return h
}

// owner looks for the marks in the environment of the process. A program that overwrites its environment to set its
// title (Postgres, Redis) is found by the supervisor among its ancestors.
func owner(ctx context.Context, p *process.Process) (project, service string) {
	if env, err := p.EnvironWithContext(ctx); err == nil {
		for _, kv := range env {
			if v, ok := strings.CutPrefix(kv, EnvProject+"="); ok {
				project = v
			}
			if v, ok := strings.CutPrefix(kv, EnvService+"="); ok {
				service = v
			}
		}
	}
	for range maxAncestors {
		if project != "" {
			break
		}
		if args, err := p.CmdlineSliceWithContext(ctx); err == nil {
			project = superviseArg(args)
		}
		parent, err := p.ParentWithContext(ctx)
		if err != nil || parent == nil || parent.Pid <= 1 {
			break
		}
		if project == "" && service == "" {
			service = serviceOf(ctx, p)
		}
		p = parent
	}
	if project == "" {
		service = ""
	}
	return project, service
}

func superviseArg(args []string) string {
	for i, a := range args {
		if a == "supervise" && i+2 < len(args) && args[i+1] == "--project" && filepath.IsAbs(args[i+2]) {
			return args[i+2]
		}
	}
	return ""
}

func serviceOf(ctx context.Context, p *process.Process) string {
	name, err := p.NameWithContext(ctx)
	if err != nil {
		return ""
	}
	switch {
	case strings.HasPrefix(name, "postgres"):
		return "postgres"
	case strings.HasPrefix(name, "redis"):
		return "redis"
	}
	return ""
}

// maxDistance bounds the search for a free port next to the wanted one.
const maxDistance = 200

// Free returns a port above near that nothing listens on and that taken does not hold, or any free one when the
// neighbourhood is full. Another program may take it before the caller does.
func Free(ctx context.Context, near int, taken map[int]bool) (int, error) {
	for p := near + 1; p <= near+maxDistance && p <= 65535; p++ {
		if !taken[p] && !InUse(ctx, p) {
			return p, nil
		}
	}
	var lc net.ListenConfig
	for range maxDistance {
		ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return 0, fmt.Errorf("find a free port: %w", err)
		}
		addr, ok := ln.Addr().(*net.TCPAddr)
		if err := ln.Close(); err != nil {
			return 0, fmt.Errorf("find a free port: %w", err)
		}
		if ok && !taken[addr.Port] {
			return addr.Port, nil
		}
	}
	return 0, fmt.Errorf("find a free port near %d: %w", near, os.ErrNotExist)
}
