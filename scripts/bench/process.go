package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a process that serves on addr.
type server struct {
	name string
	cmd  *exec.Cmd
	in   io.Closer // nil: the process ends with a signal, otherwise with its standard input
	addr string
}

// startSelf runs this program in a serving role.
func startSelf(name string, args ...string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startServer(name, exec.Command(self, args...))
}

// startServer runs a program whose first line of output is its address, and which ends with its standard input.
func startServer(name string, cmd *exec.Cmd) (*server, error) {
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	return &server{name: name, cmd: cmd, in: in, addr: strings.TrimSpace(line)}, nil
}

// startGateway runs nself gateway on a folder of metadata, as it comes: its log is written, and thrown away.
func (b *bench) startGateway(name, folder, handler string, env ...string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	_, port, _ := strings.Cut(addr, ":")
	cmd := exec.Command(b.nself, "gateway")
	cmd.Env = append(append(os.Environ(),
		"HASURA_GRAPHQL_SERVER_HOST=127.0.0.1", "HASURA_GRAPHQL_SERVER_PORT="+port,
		"HASURA_GRAPHQL_METADATA_DIR="+folder, "HASURA_GRAPHQL_ADMIN_SECRET="+benchSecret,
		"HANDLER=http://"+handler, "HASURA_ADMIN_SECRET="+benchSecret), env...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{name: name, cmd: cmd, addr: addr}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if resp, err := http.Get("http://" + addr + "/healthz"); err == nil {
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(text) == "OK" {
				return s, nil
			}
			s.stop()
			return nil, fmt.Errorf("%s: %s", name, text)
		}
		if time.Now().After(deadline) {
			s.stop()
			return nil, fmt.Errorf("%s does not answer on %s", name, addr)
		}
	}
}

func (s *server) stop() {
	if s.in != nil {
		s.in.Close()
	} else {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
	}
	_ = s.cmd.Wait()
}

// stopAll ends servers.
func stopAll(servers []*server) {
	for _, s := range servers {
		s.stop()
	}
}

// cpuTime reads the user and system time of a process, in the kernel's ticks of 10 ms (proc(5)).
func (s *server) cpuTime() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks int
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// memory reads a figure of a process's status in megabytes: VmRSS is what is resident, VmHWM the most there was.
func (s *server) memory(figure string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(status), figure+":")
	if !found {
		return 0, fmt.Errorf("no %s in /proc/%d/status", figure, s.cmd.Process.Pid)
	}
	kilobytes, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	return kilobytes / 1024, err
}
