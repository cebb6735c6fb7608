// Command nself-docker is nself with the driver that runs containers. nself hands a command over to it when containers are
// wanted. It is a program of its own because Docker's libraries triple the time that a program takes to start, which
// every other command would pay.
package main

import (
	"os"

	"github.com/nself-org/nself/internal/cli"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/stack/docker"
)

func main() {
	os.Exit(cli.Main(&cli.Containers{
		Available: docker.Available,
		New: func(o cli.ContainerOptions) stack.Driver {
			return docker.New(docker.Options{
				Config: o.Config, Load: o.Load, SavePorts: o.SavePorts, Migrate: o.Migrate, Metadata: o.Metadata, Log: o.Log,
			})
		},
	}))
}
