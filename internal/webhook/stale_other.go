//go:build !unix

package webhook

// look cannot tell here.
func (w *watchedConn) look(uintptr) bool { return true }
