package build

import "github.com/nself-org/nself/internal/env"

// RuntimeOf names the runtime that a handler's URL points at, enabled or not, or "" for one that is elsewhere.
func RuntimeOf(cfg *env.Config, handler string) string { return runtimeOf(cfg, handler) }
