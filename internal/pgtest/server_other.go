//go:build !unix

package pgtest

import "errors"

const superuser = "postgres"

func startServer() (*server, error) {
	return nil, errors.New("not supported on this system")
}
