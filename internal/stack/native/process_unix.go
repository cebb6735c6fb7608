//go:build unix && !linux

package native

import (
	"strconv"
	"syscall"

	psprocess "github.com/shirou/gopsutil/v4/process"
)

// sysProcAttr has no death signal to set: here the next start recovers what a killed supervisor left.
func sysProcAttr(c command) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if c.user != nil {
		attr.Credential = &syscall.Credential{Uid: c.user.uid, Gid: c.user.gid, Groups: []uint32{c.user.gid}}
	}
	return attr
}

func zombie(pid int) bool {
	p, err := psprocess.NewProcess(int32(pid)) //nolint:gosec // process ids fit
	if err != nil {
		return false
	}
	st, err := p.Status()
	return err == nil && len(st) > 0 && st[0] == psprocess.Zombie
}

// startTime identifies a process beyond its id. Empty when there is no such process.
func startTime(pid int) string {
	p, err := psprocess.NewProcess(int32(pid)) //nolint:gosec // process ids fit
	if err != nil {
		return ""
	}
	ms, err := p.CreateTime()
	if err != nil {
		return ""
	}
	return strconv.FormatInt(ms, 10)
}

// marked is empty: the environment of other processes is not dependable here; ids and start times are.
func marked(_, _ string) []int { return nil }

// holdsDeleted is false, as marked finds nobody to ask about.
func holdsDeleted(int, string) bool { return false }

// workingDir is the current folder of a process; empty when it cannot be read.
func workingDir(pid int) string {
	p, err := psprocess.NewProcess(int32(pid)) //nolint:gosec // process ids fit
	if err != nil {
		return ""
	}
	d, err := p.Cwd()
	if err != nil {
		return ""
	}
	return d
}

// workingIn is empty: looking at every process is slow here, and Postgres checks its shared memory by itself.
func workingIn(string) []int { return nil }
