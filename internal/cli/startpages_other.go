//go:build !linux

package cli

// dropStartPages is for Linux.
func dropStartPages() {}
