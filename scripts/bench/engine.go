package main

import (
	"context"
	"log/slog"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/observe"
)

const benchSDL = `
type Mutation { register(input: RegisterInput!): RegisterOutput }
input RegisterInput { email: String! password: String! name: String! company: String }
type RegisterOutput { success: Boolean! user: UserInfo message: String! }
type UserInfo { id: uuid! email: String! name: String! email_verified: Boolean! }
`

// serveGateway is the engine with its whole contract on: authentication, validation, header rules, metrics and logs
// (written, and thrown away).
func serveGateway(handler string) error {
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	authenticator, err := auth.New(ctx, auth.Config{AdminSecrets: []env.Secret{benchSecret}}, nil, log)
	if err != nil {
		return err
	}
	engine, err := gateway.New(gateway.Options{
		Auth: authenticator, Log: log, Version: "bench", Observer: observe.New(),
		Lookup: func(name string) (string, bool) {
			value, ok := map[string]string{"HANDLER": "http://" + handler, "HASURA_ADMIN_SECRET": benchSecret}[name]
			return value, ok
		},
	})
	if err != nil {
		return err
	}
	actions, types, err := metadata.ParseSDL(benchSDL, "bench.graphql")
	if err != nil {
		return err
	}
	actions[0].Definition.Handler = "{{HANDLER}}/actions/register"
	actions[0].Definition.Headers = []metadata.Header{{Name: "X-Hasura-Admin-Secret", ValueFromEnv: "HASURA_ADMIN_SECRET"}}
	if _, err := engine.Load(&metadata.Metadata{Version: 3, Actions: actions, CustomTypes: types}); err != nil {
		return err
	}
	return serve(engine.Handler())
}
