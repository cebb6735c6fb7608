// Package actions implements the project's actions: one file for each. actions_gen.go lists them and types_gen.go has
// their GraphQL types; nself rewrites both. Everything else is yours.
package actions

import (
	"log/slog"

	"github.com/nself-org/nself/templates/golang/internal/cache"
	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/lifecycle"
	"github.com/nself-org/nself/templates/golang/internal/mail"
	"github.com/nself-org/nself/templates/golang/internal/store"
)

// Deps is what handlers may use. A handler's constructor takes what it needs from here; add a field for whatever yours
// need, and fill it in main.go.
type Deps struct {
	Log    *slog.Logger
	Config config.Config
	// Env reads further variables of the environment, for what Config does not know.
	Env   *config.Reader
	DB    store.DB
	Cache *cache.Cache
	Mail  *mail.Mailer
	// Parts holds what several handlers share, and takes work that goes on beside the requests, such as a job queue.
	Parts *lifecycle.Group
}
