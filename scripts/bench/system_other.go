//go:build !linux

package main

import "time"

// prefer is for Linux.
func prefer() (undo func()) { return func() {} }

func pause(d time.Duration) { time.Sleep(d) }
