//go:build !unix

package webhook

// look cannot tell here.
func (c *conn) look(uintptr) bool { return true }
