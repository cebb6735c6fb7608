//go:build modules

// Package modules imports what only some of the documented actions need. It is never compiled; `go mod tidy`, which minds
// no build tags, keeps these modules in go.mod and go.sum, so that an action that is added later finds them there.
package modules

import (
	_ "github.com/bep/imagemeta"
	_ "github.com/minio/minio-go/v7"
	_ "github.com/riverqueue/river"
	_ "github.com/riverqueue/river/riverdriver/riverpgxv5"
	_ "github.com/riverqueue/river/rivermigrate"
	_ "github.com/riverqueue/river/rivertype"
	_ "github.com/stripe/stripe-go/v85"
	_ "golang.org/x/image/draw"
)
