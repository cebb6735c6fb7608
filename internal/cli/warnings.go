package cli

import (
	"strings"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/ui"
)

// printWarnings shows what the configuration's reader found odd, each with what to do about it.
func printWarnings(io *ui.Streams, report *env.Report) {
	if report == nil {
		return
	}
	for _, w := range report.Warnings {
		printWarning(io, w.String(), w.Hint)
	}
}

func printWarning(io *ui.Streams, text, hint string) {
	t := io.ErrTheme()
	io.Notef("%s %s\n", t.Warn("warning:"), text)
	if hint != "" {
		io.Notef("%s %s\n", t.Good("    fix:"), hint)
	}
}

// printAsWarning shows faults that the command can do without mending.
func printAsWarning(io *ui.Streams, err error) {
	for _, f := range faultsOf(err) {
		printWarning(io, f.text, strings.Join(f.hints, "; "))
	}
}
