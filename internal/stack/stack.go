// Package stack runs a project's services: Postgres, Redis, the mail catcher, the GraphQL engine and the function
// services. Driver is the contract; docker and native implement it, and stacktest specifies it.
package stack

import (
	"context"
	"io"
	"time"
)

// The services by their names. A function service has its runtime's name: golang, nestjs, python. MinIO runs in containers
// only.
const (
	Postgres = "postgres"
	Redis    = "redis"
	Mail     = "mailpit"
	Hasura   = "hasura"
	Minio    = "minio"
)

// Driver starts, stops and looks at the services of one project. Its methods may be called from several processes at
// once; a driver serializes what must not overlap.
type Driver interface {
	// Name is "docker" or "native".
	Name() string
	// Up starts the named services and what they depend on (all of them when none is named), waits until each is
	// healthy, applies migrations and loads the metadata. It returns an error of class errdefs.ErrUnhealthy when a
	// service did not become healthy in time, and leaves the others running. Up on a running stack starts what is missing
	// and what has changed, and nothing else. Cancelling ctx stops what this call has started.
	Up(ctx context.Context, opts UpOptions) error
	// Down stops every service; data stays unless opts.Volumes. On a stopped stack it does nothing.
	Down(ctx context.Context, opts DownOptions) error
	// Restart stops and starts the named services, or all that run.
	Restart(ctx context.Context, services []string, opts UpOptions) error
	// Status reports every service that the project has, running or not.
	Status(ctx context.Context) (Status, error)
	// Changed names the running services that are not what the project's settings and sources ask for any more; the next Up
	// would start them anew. It is dearer than Status: it reads the sources.
	Changed(ctx context.Context) ([]string, error)
	// Logs writes the services' output to opts.Sink until it is exhausted, or, with Follow, until ctx ends.
	Logs(ctx context.Context, opts LogsOptions) error
	// Exec runs a command in a service's context (its container, or its folder and environment) and returns its exit code.
	Exec(ctx context.Context, opts ExecOptions) (int, error)
}

// KeptReady is a Driver that can hold the tools and processes ready with which services are started again, so that a
// saved file answers sooner.
type KeptReady interface {
	// KeepReady does so until ctx ends, and then returns nil. On a stopped stack it returns an error at once.
	KeepReady(ctx context.Context) error
}

// UpOptions tells Up what to start and how long to wait.
type UpOptions struct {
	Services    []string      // empty: all enabled
	Alone       bool          // leave alone what the named ones depend on, and apply no migrations
	WaitTimeout time.Duration // for each service to become healthy; zero: 2 minutes
	AutoPorts   bool          // where a port is taken, take a free one and save it in the project's configuration
	Report      func(Event)   // receives progress, one call at a time; may be nil
	// Renew is asked whether running services that have changed since they started are started anew; nil means yes. A
	// driver that keeps them running until they are renewed need not ask.
	Renew func(changed []string) bool
}

// DownOptions tells Down what to remove.
type DownOptions struct {
	Volumes bool        // delete the data too
	Report  func(Event) // may be nil
}

// EventKind is a step in a service's life.
type EventKind string

// The kinds of progress event.
const (
	EventBuilding EventKind = "building" // compiling, installing or pulling
	EventStarting EventKind = "starting"
	EventWaiting  EventKind = "waiting" // started, not healthy yet; Detail is the last probe's answer
	EventHealthy  EventKind = "healthy"
	EventFailed   EventKind = "failed" // Detail says why; Log holds the last lines of its output
	EventStopping EventKind = "stopping"
	EventStopped  EventKind = "stopped"
	EventNote     EventKind = "note" // something the user should know: a fallback taken, a migration applied
	EventWarning  EventKind = "warning"
)

// Event is one step of progress.
type Event struct {
	Time    time.Time     `json:"time"`
	Service string        `json:"service,omitempty"` // empty: the stack as a whole
	Kind    EventKind     `json:"kind"`
	Detail  string        `json:"detail,omitempty"`
	Log     []string      `json:"log,omitempty"`
	Hint    string        `json:"hint,omitempty"`
	Elapsed time.Duration `json:"elapsed,omitempty"` // for healthy and stopped: time since the step began
}

// State is where a service is in its life.
type State string

// The states of a service.
const (
	StateStopped   State = "stopped"
	StateStarting  State = "starting"
	StateHealthy   State = "healthy"
	StateUnhealthy State = "unhealthy"
	StateCrashed   State = "crashed" // ended too often in a row; not restarted any more
	StateFailed    State = "failed"  // could not be built or started
)

// Status is the whole stack.
type Status struct {
	Project  string          `json:"project"`
	Driver   string          `json:"driver"`
	Running  bool            `json:"running"`
	Services []ServiceStatus `json:"services"`
}

// ServiceStatus is one service.
type ServiceStatus struct {
	Name     string    `json:"name"`
	State    State     `json:"state"`
	Detail   string    `json:"detail,omitempty"` // version, fallback or the last probe's answer
	URL      string    `json:"url,omitempty"`
	Port     int       `json:"port,omitempty"`
	PID      int       `json:"pid,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Restarts int       `json:"restarts"`
	Changed  bool      `json:"changed,omitempty"` // since it started; set by whoever asks [Driver.Changed]
}

// LogsOptions selects log lines.
type LogsOptions struct {
	Services []string
	Follow   bool
	Tail     int           // last n lines of each service; 0: all
	Since    time.Duration // only lines younger than this; 0: all
	Sink     func(LogLine)
}

// LogLine is one line of a service's output.
type LogLine struct {
	Service string    `json:"service"`
	Time    time.Time `json:"time"`
	Text    string    `json:"text"`
}

// ExecOptions is a command to run in a service's context.
type ExecOptions struct {
	Service        string
	Command        []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}
