package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ui"
)

func TestPrintError(t *testing.T) {
	t.Parallel()
	hinted := func(text, hint string) error { return errdefs.WithHint(errors.New(text), hint) }
	full := &fs.PathError{Op: "write", Path: "shop/.env", Err: syscall.ENOSPC}
	denied := &fs.PathError{Op: "open", Path: "shop/.env", Err: syscall.EACCES}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"advice stands with its fault": {
			errdefs.As(errdefs.ErrInvalid, errors.Join(hinted("a", "mend a"), hinted("b", "mend b"), errors.New("c"))),
			"error: a\n  fix: mend a\nerror: b\n  fix: mend b\nerror: c\n",
		},
		"once for a run of faults": {
			errors.Join(hinted("a", "mend"), hinted("b", "mend"), hinted("c", "other")),
			"error: a\nerror: b\n  fix: mend\nerror: c\n  fix: other\n",
		},
		"a fault of several lines is one": {hinted("a\nb\n    c", "mend"), "error: a\n       b\n    c\n  fix: mend\n"},
		"of the whole, at its end": {
			errdefs.WithHint(errors.Join(hinted("a", "mend a"), errors.New("b")), "start over"),
			"error: a\n  fix: mend a\nerror: b\n  fix: start over\n",
		},
		"wrapped":           {fmt.Errorf("build: %w", hinted("a", "mend a")), "error: build: a\n  fix: mend a\n"},
		"full disk":         {fmt.Errorf("set: %w", full), "error: set: write shop/.env: no space left on device\n  fix: free some disk space and run the command again\n"},
		"full, with advice": {errdefs.WithHint(full, "mend"), "error: write shop/.env: no space left on device\n  fix: mend\n"},
		"permission":        {denied, "error: open shop/.env: permission denied\n  fix: make shop readable and writable for you, or run nself as its owner\n"},
		"usage":             {fmt.Errorf("%w: no such flag", errdefs.ErrUsage), "error: no such flag\n"},
		"said already":      {&exitError{exitInvalid}, ""},
		//nolint:revive // as cobra writes it
		"cobra's suggestion": {classifyCobra(errors.New("unknown command \"upp\" for \"nself\"\n\nDid you mean this?\n\tup\n\tups\n")), "error: unknown command \"upp\" for \"nself\"\n  fix: did you mean up or ups?\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var errs bytes.Buffer
			printError(&ui.Streams{Err: &errs}, test.err)
			if diff := cmp.Diff(test.want, errs.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
