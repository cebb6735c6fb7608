package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/ui"
)

type urlsOptions struct {
	IO    *ui.Streams
	Stack func(context.Context, stackChoice) (*openStack, error)

	Choice stackChoice
	JSON   bool
}

func newURLsCmd(f *Factory, run func(context.Context, *urlsOptions) error) *cobra.Command {
	opts := &urlsOptions{IO: f.IO, Stack: f.Stack}
	cmd := &cobra.Command{
		Use:   "urls",
		Short: "Show the addresses of the services",
		Example: `  nself urls
  nself urls --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	opts.Choice.addFlag(cmd)
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON: an object of service and address")
	return cmd
}

func runURLs(ctx context.Context, opts *urlsOptions) error {
	s, err := opts.Stack(ctx, opts.Choice)
	if err != nil {
		return err
	}
	status, err := s.Driver.Status(ctx)
	if err != nil {
		return err
	}
	if opts.JSON {
		urls := map[string]string{}
		for _, service := range status.Services {
			if service.URL != "" {
				urls[service.Name] = service.URL
			}
		}
		return opts.IO.JSON(urls)
	}
	printURLs(opts.IO, status)
	return nil
}

// titles tells a person what a service's address is for.
var titles = map[string]string{
	stack.Hasura: "GraphQL", stack.Mail: "Mails", stack.Postgres: "Postgres", stack.Redis: "Redis",
	"golang": "Go functions", "nestjs": "NestJS functions", "python": "Python functions", "minio": "Storage",
}

func printURLs(io *ui.Streams, status stack.Status) {
	t := io.OutTheme()
	rows := make([][]string, 0, len(status.Services))
	for _, s := range status.Services {
		if s.URL == "" {
			continue
		}
		title := titles[s.Name]
		if title == "" {
			title = s.Name
		}
		state := ""
		if s.State != stack.StateHealthy {
			state = paintState(t, s.State)
		}
		url := s.URL
		if s.Name == stack.Hasura {
			url += "/v1/graphql"
		}
		rows = append(rows, []string{"  " + title, t.Link(url), state})
	}
	ui.Rows(io.Out, rows)
}
