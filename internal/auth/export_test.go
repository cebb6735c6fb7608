package auth

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// NewAt is New with a clock.
func NewAt(ctx context.Context, c Config, client *http.Client, log *slog.Logger, now func() time.Time) (*Authenticator, error) {
	return newAt(ctx, c, client, log, now)
}
