//go:build unix

package testenv

import (
	"os/exec"
	"syscall"
)

// dropRoot makes cmd run as an ordinary user when the tests run as root.
func dropRoot(cmd *exec.Cmd) error {
	uid, gid, err := serverUser()
	if err != nil || uid < 0 {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, //nolint:gosec // ids of the system's own users
	}
	return nil
}
