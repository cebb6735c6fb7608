//go:build unix

package webhook

import "syscall"

// look peeks without waiting. Nothing to read is the healthy case.
func (c *conn) look(fd uintptr) bool {
	_, _, err := syscall.Recvfrom(int(fd), c.peek[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	c.dead = err != syscall.EAGAIN
	return true
}
