package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/ui"
)

type versionOptions struct {
	IO   *ui.Streams
	JSON bool
}

func newVersionCmd(f *Factory, run func(context.Context, *versionOptions) error) *cobra.Command {
	opts := &versionOptions{IO: f.IO}
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Show the version of nself",
		Example: "  nself version --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON")
	return cmd
}

// buildVersion is what the Go toolchain recorded in the binary.
type buildVersion struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Time     string `json:"time,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// readVersion reads the binary's build info: a module version, or the VCS revision of a checkout.
func readVersion() buildVersion {
	v := buildVersion{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		case "vcs.time":
			v.Time = s.Value
		}
	}
	return v
}

func runVersion(_ context.Context, opts *versionOptions) error {
	v := readVersion()
	if opts.JSON {
		return opts.IO.JSON(v)
	}
	opts.IO.Printf("nself %s", v.Version)
	if v.Revision != "" {
		opts.IO.Printf(" (%.12s)", v.Revision)
	}
	opts.IO.Printf(" %s\n", fmt.Sprintf("%s %s", v.Go, v.Platform))
	return nil
}
