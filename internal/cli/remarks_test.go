package cli

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"

	"github.com/nself-org/nself/internal/ui"
)

func TestRemarks(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	log := slog.New(&remarks{io: &ui.Streams{Err: &errs}}).With(slog.String("service", "postgres"))
	log.Info("nobody needs this")
	log.Warn("left a database server alone", slog.Any("error", errors.New("it is another's")))
	if got, want := errs.String(), "warning: left a database server alone (service postgres, error it is another's)\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
