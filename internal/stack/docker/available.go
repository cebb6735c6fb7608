package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/dockerhost"
)

// availablePatience bounds the question whether there is an engine: a command that has a choice does not wait long.
const availablePatience = 2 * time.Second

// Available tells whether an engine answers, and where. It is quick where none is installed.
func Available(ctx context.Context) (host string, err error) {
	if dockerhost.Find(os.Getenv).URL == "" {
		return "", errors.New("no Docker engine here")
	}
	ctx, cancel := context.WithTimeout(ctx, availablePatience)
	defer cancel()
	e, err := connect(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "", fmt.Errorf("no Docker engine answers within %s", availablePatience)
	case err != nil:
		return "", errors.New("no Docker engine: " + strings.TrimPrefix(firstLine(err.Error()), "reach the Docker engine: "))
	}
	return strings.TrimPrefix(e.host, "unix://"), nil
}
