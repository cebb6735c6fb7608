// Package doctor examines what a project needs to run: programs and their versions, the container engine, ports and who
// holds them, room on the disk and in memory, the project's files, configuration and metadata. It changes nothing.
package doctor

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nself-org/nself/internal/env"
)

// Level says how much a finding matters.
type Level string

// The levels, from nothing to do to cannot work.
const (
	OK   Level = "ok"
	Warn Level = "warn" // works, or works in part, and is probably not meant
	Fail Level = "fail" // something that the project uses will not work
)

// Finding is the outcome of one check, or of one part of it.
type Finding struct {
	// Check names what was examined: "go", "port 5432", "config".
	Check string `json:"check"`
	Level Level  `json:"level"`
	// Detail says what was found, in one line and without secrets.
	Detail string `json:"detail"`
	// Fix is a command to run, or the place of the line to correct where no command can. Empty when all is well.
	Fix string `json:"fix,omitempty"`
}

// The drivers that a project may run with; they decide what it needs of this machine.
const (
	DriverDocker = "docker"
	DriverNative = "native"
	// DriverAuto is docker where an engine answers, and native elsewhere.
	DriverAuto = "auto"
)

// Input is what Run looks at.
type Input struct {
	// Dir is the project's folder. Empty outside of a project: only the machine is examined, for all runtimes.
	Dir string
	// Config is the project's configuration, as far as it could be read; nil outside of a project.
	Config *env.Config
	// Report is what reading the configuration found; nil outside of a project.
	Report *env.Report
	// Driver is the one that the project will run with: what only the other one needs cannot fail. Empty: native.
	Driver string
	// Environ is the process environment, as os.Environ gives it: PATH, DOCKER_HOST and HOME matter.
	Environ []string
	// Patience is how long all checks together may take. Zero: 3 s.
	Patience time.Duration
}

// limit ends checks that hang: a stuck program must not keep the others' findings from being shown. Programs usually
// answer within a tenth of it.
const limit = 3 * time.Second

// check examines one thing.
type check struct {
	name string
	run  func(context.Context, *examiner) []Finding
}

// examiner is the input with what checks share.
type examiner struct {
	Input

	env     map[string]string
	install installer
	engine  func() *engineFacts // asked once
}

// Run makes all checks at the same time and returns their findings in a fixed order: programs, machine, project. It
// takes as long as the slowest check, usually a few hundredths of a second, and at most about as long as its patience.
func Run(ctx context.Context, in Input) []Finding {
	if in.Driver == "" {
		in.Driver = DriverNative
	}
	in.Patience = cmp.Or(in.Patience, limit)
	x := &examiner{Input: in, env: map[string]string{}}
	for _, kv := range in.Environ {
		if key, value, ok := strings.Cut(kv, "="); ok {
			x.env[key] = value
		}
	}
	x.install = x.findInstaller()

	ctx, cancel := context.WithTimeout(ctx, in.Patience)
	defer cancel()
	x.engine = sync.OnceValue(func() *engineFacts { return x.askEngine(ctx) })
	defer func() { x.engine().close() }()
	if x.Driver == DriverAuto {
		x.Driver = DriverNative
		if x.engine().err == nil {
			x.Driver = DriverDocker
		}
	}
	checks := x.checks()
	found := make([][]Finding, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() { found[i] = c.run(ctx, x) })
	}
	wg.Wait()
	return slices.Concat(found...)
}

func (x *examiner) checks() []check {
	checks := []check{
		{"go", checkGo},
		{"node", checkNode},
		{"python", checkPython},
		{"postgres", checkPostgres},
		{"redis", checkRedis},
		{"docker", checkDocker},
		{"disk", checkDisk},
		{"memory", checkMemory},
	}
	if x.Dir == "" {
		return checks
	}
	checks = append(checks, check{"project", checkFiles}, check{"secrets", checkSecrets}, check{"git", checkGit},
		check{"metadata", checkMetadata})
	if x.Report != nil {
		checks = append(checks, check{"config", checkConfig})
	}
	if x.Config != nil {
		checks = append(checks, check{"ports", checkPorts}, check{"handlers", checkHandlers})
	}
	return checks
}

// Worst is the highest level among the findings; OK when there are none.
func Worst(findings []Finding) Level {
	worst := OK
	for _, f := range findings {
		if f.Level == Fail {
			return Fail
		}
		if f.Level == Warn {
			worst = Warn
		}
	}
	return worst
}

// uses tells whether the project needs a runtime; outside of a project, where that is not known, it may.
func (x *examiner) uses(pick func(*env.Config) env.Runtime) bool {
	return x.Config == nil || pick(x.Config).Enabled
}

// missing is the level of a program that only the native driver needs and that has no stand-in.
func (x *examiner) missing() Level {
	if x.Driver == DriverDocker || x.Config == nil {
		return Warn
	}
	return Fail
}

func one(check string, level Level, detail, fix string) []Finding {
	return []Finding{{Check: check, Level: level, Detail: detail, Fix: fix}}
}
