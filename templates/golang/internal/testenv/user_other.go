//go:build !unix

package testenv

import "os/exec"

// dropRoot does nothing: only Unix has a user that Postgres refuses.
func dropRoot(*exec.Cmd) error { return errMissing }
