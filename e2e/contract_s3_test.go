package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/testneeds"
)

// s3Server is a gateway from S3 to a folder, which checks every signature.
const s3Server = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

const (
	s3AccessKey = "contract-access"
	s3SecretKey = "contract-secret-key"
)

// startS3 builds and starts the server and returns its port.
func startS3(t *testing.T) string {
	t.Helper()
	bin, data := t.TempDir(), t.TempDir()
	install := exec.CommandContext(t.Context(), "go", "install", s3Server)
	install.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		testneeds.Missing(t, "go install %s: %v\n%s", s3Server, err, out)
	}
	address := net.JoinHostPort("127.0.0.1", freePort(t))
	for _, dir := range []string{"files", "metadata"} { // not every file system has extended attributes
		if err := os.Mkdir(filepath.Join(data, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var log strings.Builder
	srv := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(bin, "versitygw"), "--port", address,
		"--access", s3AccessKey, "--secret", s3SecretKey, "posix", "--sidecar", filepath.Join(data, "metadata"), filepath.Join(data, "files"))
	srv.Stdout, srv.Stderr = &log, &log
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = srv.Process.Kill()
		_ = srv.Wait()
		if t.Failed() {
			t.Logf("the S3 server says:\n%s", &log)
		}
	})
	within(t, faultPatience, "the S3 server listens", func() bool {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	_, port, _ := strings.Cut(address, ":")
	return port
}

// bucket keeps files in a bucket that is not there yet, and links to it at the address that browsers know.
func (c *contract) bucket(t *testing.T) {
	port := startS3(t)
	for key, value := range map[string]string{
		"S3_ENDPOINT": "http://127.0.0.1:" + port, "S3_PUBLIC_ENDPOINT": "http://localhost:" + port, "S3_BUCKET": "contract-files",
		"S3_ACCESS_KEY": s3AccessKey, "S3_SECRET_KEY": s3SecretKey,
	} {
		c.mustRun("config", "set", key, value)
	}
	c.mustRun("up", "--driver", "native", "--wait-timeout", "5m")
	c.uploads(t)

	got := c.call(t, "admin", "uploadAndProcessFile",
		`{"input":{"file_name":"a b.csv","file_type":"text/csv","file_size":10,"file_data":"YSxiDQoxLDINCg=="}}`)
	link, _ := got["file_url"].(string)
	if !strings.HasPrefix(link, fmt.Sprintf("http://localhost:%s/contract-files/", port)) {
		t.Errorf("the link is %s", link)
	}
	if status, data := c.get(t, link); status != http.StatusOK || data != "a,b\r\n1,2\r\n" {
		t.Errorf("%s: got status %d, %q", link, status, data)
	}
	for what, other := range map[string]string{
		"for another host":  strings.Replace(link, "localhost", "127.0.0.1", 1),
		"made to last long": strings.Replace(link, "X-Amz-Expires=", "X-Amz-Expires=1", 1),
		"without signature": strings.Split(link, "?")[0],
	} {
		if status, data := c.get(t, other); status != http.StatusForbidden || other == link {
			t.Errorf("a link %s: got status %d, %s", what, status, data)
		}
	}
	for _, key := range []string{"S3_ENDPOINT", "S3_PUBLIC_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY", "S3_SECRET_KEY"} {
		c.mustRun("config", "set", key, "")
	}
	c.mustRun("up", "--driver", "native", "--wait-timeout", "5m")
}
