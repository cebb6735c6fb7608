package actions

import (
	"context"

	"shop/functions/golang/internal/action"
)

// PingHandler implements the action ping.
type PingHandler struct{ deps Deps }

// NewPing makes the handler.
func NewPing(d Deps) *PingHandler { return &PingHandler{deps: d} }

// Handle answers one call.
func (h *PingHandler) Handle(_ context.Context, req *action.Request[PingArgs]) (*string, error) {
	return &req.Args.Text, nil
}
