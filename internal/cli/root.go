// Package cli is nself's command tree: one file per command, factory.go wires them to the other packages, exit.go maps
// errors to exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ui"
)

// Main runs the program with the process's arguments and returns its exit code. containers is the driver for containers;
// nil where the program does not have it and hands over to the one that has.
func Main(containers *Containers) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once

	wd, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error: find the working directory:", err)
		return exitFailure
	}
	executable, err := os.Executable()
	if err != nil {
		executable = os.Args[0]
	}
	streams := ui.System(os.Getenv)
	f := &Factory{
		IO: streams, Environ: os.Environ(), WorkDir: wd, Executable: executable, Args: os.Args[1:], Containers: containers, Log: slog.New(&remarks{io: streams}),
	}
	return run(ctx, f, os.Args[1:])
}

// run executes one command line.
func run(ctx context.Context, f *Factory, args []string) int {
	root := newRootCmd(f) //nolint:contextcheck // commands are given theirs when they run
	root.SetArgs(args)
	cmd, err := unknownSubcommand(root, args)
	if err == nil {
		cmd, err = root.ExecuteContextC(ctx)
	}
	if err == nil {
		return exitOK
	}
	err = classifyCobra(err)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		f.IO.Notef("interrupted\n")
		return exitInterrupted
	}
	printError(f.IO, err)
	code := exitCode(ctx, err)
	if errors.Is(err, errdefs.ErrUsage) {
		f.IO.Notef("\nUsage: %s\nHelp:  %s --help\n", usageLine(cmd), cmd.CommandPath())
	}
	return code
}

// The groups of commands in nself --help.
const (
	groupProject = "project"
	groupStack   = "stack"
	groupLook    = "look"
)

func newRootCmd(f *Factory) *cobra.Command {
	root := &cobra.Command{
		Use:   "nself",
		Short: "Scaffold and run function services for Hasura Actions",
		Long: `nself scaffolds and runs function services for Hasura Actions.

Write a mutation's GraphQL types, pick a language, and get the typed handler, its test, the Hasura metadata and a running
backend: GraphQL engine, Postgres, Redis, mail catcher and the function services. With Docker or without.

Exit codes of every command: 0 done, 1 failure, 2 usage, 3 project invalid or drifted, 4 something needed is unavailable,
5 a service is unhealthy, 130 interrupted.`,
		Example: `  nself init shop --runtime golang
  cd shop
  nself action new registerUser --runtime golang
  nself build && nself up
  nself action test registerUser --input '{"input":{"email":"a@example.com","password":"password123","name":"A"}}'`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(f.IO.Out)
	root.SetErr(f.IO.Err)
	root.SetIn(f.IO.In)
	root.PersistentFlags().StringVarP(&f.project, "project", "C", "", "Work on the project in `dir` instead of the one around here")
	root.AddGroup(
		&cobra.Group{ID: groupProject, Title: "Write:"},
		&cobra.Group{ID: groupStack, Title: "Run:"},
		&cobra.Group{ID: groupLook, Title: "Look:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupProject, newInitCmd(f, runInit), newActionCmd(f), newBuildCmd(f, runBuild), newConfigCmd(f), newEditorCmd(f, runEditor), newUpgradeCmd(f, runUpgrade))
	add(groupStack, newUpCmd(f, runUp), newDownCmd(f, runDown), newRestartCmd(f, runRestart), newExecCmd(f, runExec), newTestCmd(f, runTest), newDevCmd(f, runDev), newDBCmd(f),
		newGatewayCmd(f, runGateway))
	add(groupLook, newStatusCmd(f, runStatus), newLogsCmd(f, runLogs), newURLsCmd(f, runURLs), newDoctorCmd(f, runDoctor), newVersionCmd(f, runVersion), newManCmd(f))
	root.AddCommand(newSuperviseCmd(f))
	describeUsage(root)
	return root
}

// Tree returns the command tree for the reference documentation. Its commands are not meant to run.
func Tree() *cobra.Command {
	root := newRootCmd(&Factory{IO: &ui.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}})
	root.DisableAutoGenTag = true
	return root
}
