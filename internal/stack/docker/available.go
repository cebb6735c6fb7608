package docker

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/nself-org/nself/internal/dockerhost"
)

// Available tells whether an engine answers, and where. It is quick where none is installed; one that is slow is waited for
// as by the driver itself, since the project's data may be there.
func Available(ctx context.Context) (host string, err error) {
	if dockerhost.Find(os.Getenv).URL == "" {
		return "", errors.New("no Docker engine here")
	}
	e, err := connect(ctx)
	if err != nil {
		return "", errors.New("no Docker engine: " + strings.TrimPrefix(firstLine(err.Error()), "reach the Docker engine: "))
	}
	return strings.TrimPrefix(e.host, "unix://"), nil
}
