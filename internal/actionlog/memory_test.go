package actionlog_test

import (
	"testing"
	"time"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/actionlog/actionlogtest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	actionlogtest.Run(t, func(_ *testing.T, lease time.Duration) (a, b actionlog.Store) {
		m := actionlog.NewMemory(lease)
		return m, m
	})
}
