//go:build unix

package webhook

import "syscall"

// look peeks without waiting. Nothing to read is the healthy case; pending bytes (TLS tickets) are one too.
func (w *watchedConn) look(fd uintptr) bool {
	n, _, err := syscall.Recvfrom(int(fd), w.peek[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	switch err {
	case nil:
		w.dead = n == 0
	case syscall.EAGAIN, syscall.EINTR:
		w.dead = false
	default:
		w.dead = true
	}
	return true
}
