package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/compose"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ui"
)

// renewChoice is what becomes of running services whose configuration has changed.
type renewChoice string

const (
	renewAsk  renewChoice = "ask" // yes where nobody can be asked
	renewYes  renewChoice = "yes"
	renewKeep renewChoice = "no"
)

// String returns the flag's value; with Set and Type it makes renewChoice a flag value.
func (c *renewChoice) String() string { return string(*c) }

// Set takes the flag's text.
func (c *renewChoice) Set(text string) error {
	switch choice := renewChoice(text); choice {
	case renewAsk, renewYes, renewKeep:
		*c = choice
		return nil
	}
	return errors.New("the choices are ask, yes and no") // the flag parser makes it a usage error
}

// Type is shown in --help.
func (c *renewChoice) Type() string { return "choice" }

// renew answers the driver's question whether running services that have changed are started anew.
func renew(ctx context.Context, io *ui.Streams, choice renewChoice) func(changed []string) bool {
	return func(changed []string) bool {
		switch {
		case choice == renewKeep:
			return false
		case choice == renewYes || !io.Interactive():
			return true
		}
		what := "1 service has changed since it started"
		if len(changed) > 1 {
			what = fmt.Sprintf("%d services have changed since they started", len(changed))
		}
		io.Notef("%s: %s. Restart? [Y/n] ", what, strings.Join(changed, ", "))
		answer := make(chan string, 1)
		go func() { // left behind at Ctrl-C: a terminal's read cannot be ended
			line, err := bufio.NewReader(io.In).ReadString('\n')
			if err != nil {
				line = "no"
			}
			answer <- strings.ToLower(strings.TrimSpace(line))
		}()
		select {
		case <-ctx.Done():
			return false
		case a := <-answer:
			return a == "" || a == "y" || a == "yes"
		}
	}
}

// warnComposeFile tells of a docker-compose.yml that was edited by hand: the edits have no effect.
func warnComposeFile(ctx context.Context, io *ui.Streams, cfg *env.Config, environ []string) {
	have, err := os.ReadFile(filepath.Join(cfg.Dir, compose.FileName))
	if err != nil {
		return // a project without one runs all the same
	}
	want, err := compose.Marshal(compose.Project(cfg))
	if err != nil || bytes.Equal(have, want) {
		return
	}
	result, err := build.Run(ctx, build.Options{Dir: cfg.Dir, Env: env.Options{Environ: environ}, Check: true})
	if err != nil && !errors.Is(err, errdefs.ErrDrift) {
		return // build and up tell what is wrong in words of their own
	}
	for _, c := range result.Plan.Changes {
		if c.Path == compose.FileName && c.Action == build.Update {
			return // only older than the settings, as nself build --check tells
		}
	}
	printWarning(io, compose.FileName+" was edited by hand, which has no effect: the services are started from the settings",
		"move the edits to "+compose.OverrideFileName+", which is merged over it (nself build --diff shows them), "+
			"then run nself build --force "+compose.FileName)
}
