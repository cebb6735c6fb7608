package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// composeVersion is the release that nself-docker is built with.
const composeVersion = "v5.5.1"

// upRatio is the most that nself up may take of what docker compose up --wait takes.
const upRatio = 1.2

// docker measures nself up from stopped containers beside docker compose up --wait by hand, on the same containers and the
// same file. It needs a Docker engine and, where no registry can be reached, the images of scripts/images.
func (b *bench) docker() error {
	fmt.Println("nself up from stopped containers, beside docker compose up --wait on the same file")
	if err := exec.Command("docker", "version").Run(); err != nil {
		fmt.Println("  left out: no Docker engine answers")
		return nil
	}
	dir, err := os.MkdirTemp("", "nself-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	compose, err := composeProgram(dir)
	if err != nil {
		return err
	}
	shop := filepath.Join(dir, "shop")
	if err := b.all(dir, []string{"init", "shop", "--runtime", "golang"}); err != nil {
		return err
	}
	if exec.Command("docker", "image", "inspect", "nself-test/gateway").Run() == nil {
		err := appendFile(filepath.Join(shop, ".env"), "POSTGRES_IMAGE=nself-test/postgres\nREDIS_IMAGE=nself-test/redis\n"+
			"HASURA_IMAGE=nself-test/gateway\nGOLANG_IMAGE=nself-test/golang\nMAILPIT_ENABLED=false\n")
		if err != nil {
			return err
		}
	}
	if err := freePorts(shop); err != nil {
		return err
	}
	docker := []string{"-C", shop, "up", "--driver", "docker", "--wait-timeout", "15m"}
	defer func() { _ = b.all(dir, []string{"-C", shop, "down", "--driver", "docker", "--volumes"}) }()
	if err := b.all(dir, []string{"-C", shop, "action", "new", "registerUser"}, []string{"-C", shop, "build"}, docker); err != nil {
		return err
	}
	var ours, theirs []time.Duration
	for range 5 {
		for _, m := range []struct {
			into    *[]time.Duration
			command []string
		}{{&theirs, append(compose, "up", "-d", "--wait")}, {&ours, append([]string{b.nself}, docker...)}} {
			if err := run(shop, append(compose, "stop", "-t", "5")); err != nil {
				return err
			}
			start := time.Now()
			if err := run(shop, m.command); err != nil {
				return err
			}
			*m.into = append(*m.into, time.Since(start))
		}
	}
	o, t := median(ours), median(theirs)
	b.limit("from stopped", ms(o), "docker compose "+ms(t), "%.2f times", o.Seconds()/t.Seconds(), upRatio)
	return nil
}

func run(dir string, command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", command, err, out)
	}
	return nil
}

// composeProgram is the docker command with its Compose plugin, else docker-compose, else Compose's own command line, built
// from the module that nself-docker uses.
func composeProgram(dir string) ([]string, error) {
	if exec.Command("docker", "compose", "version").Run() == nil {
		return []string{"docker", "compose"}, nil
	}
	if path, err := exec.LookPath("docker-compose"); err == nil {
		return []string{path}, nil
	}
	module, program := filepath.Join(dir, "compose"), filepath.Join(dir, "docker-compose")
	if err := os.Mkdir(module, 0o755); err != nil {
		return nil, err
	}
	source := "package main\n\nimport _ \"github.com/docker/compose/v5/pkg/api\"\n\nfunc main() {}\n"
	if err := os.WriteFile(filepath.Join(module, "main.go"), []byte(source), 0o600); err != nil {
		return nil, err
	}
	return []string{program}, errors.Join(
		run(module, []string{"go", "mod", "init", "compose"}),
		run(module, []string{"go", "get", "github.com/docker/compose/v5@" + composeVersion}),
		run(module, []string{"go", "build", "-mod=mod", "-o", program, "github.com/docker/compose/v5/cmd"}))
}
