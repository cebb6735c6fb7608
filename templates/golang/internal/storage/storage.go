// Package storage keeps files in a folder (STORAGE_DIR), or in an S3-compatible store when S3_ENDPOINT, S3_BUCKET,
// S3_ACCESS_KEY and S3_SECRET_KEY are set. Links to files are signed and expire.
package storage

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path"
	"strings"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/lifecycle"
)

// ErrNotFound says that there is no file under a key.
var ErrNotFound = errors.New("no such file")

// Storage keeps files. A key is "<id>/<name>". It is safe for concurrent use.
type Storage interface {
	// Put stores what r yields under the key, replacing what was there. The file is there as a whole, or not at all.
	Put(ctx context.Context, key string, r io.Reader) error
	// Get opens the file, or returns [ErrNotFound].
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	// Link returns a URL that lets anyone fetch the file for a while.
	Link(ctx context.Context, key string) (string, error)
}

// Of returns the service's storage. With a folder it also adds the route that links lead to. It reads STORAGE_DIR
// (storage), FILE_URL_TTL_SECONDS (900) and the S3_ variables.
func Of(parts *lifecycle.Group, cfg config.Config, env *config.Reader, log *slog.Logger) Storage {
	return lifecycle.Shared(parts, func() Storage {
		ttl := time.Duration(env.Integer("FILE_URL_TTL_SECONDS", 900, 1, 7*24*3600)) * time.Second
		if endpoint := env.URL("S3_ENDPOINT", "", "http", "https"); endpoint != "" {
			s, err := NewS3(S3Options{
				Endpoint: endpoint, PublicEndpoint: env.URL("S3_PUBLIC_ENDPOINT", "", "http", "https"),
				Bucket: env.Text("S3_BUCKET", ""), Region: env.Text("S3_REGION", "us-east-1"),
				AccessKey: env.Text("S3_ACCESS_KEY", ""), SecretKey: config.Secret(env.Text("S3_SECRET_KEY", "")), TTL: ttl,
			})
			if err != nil {
				env.Problem("%w", err)
			}
			return s
		}
		signer := NewSigner(cfg.AdminSecret, cfg.PublicURL, ttl)
		d := NewDir(env.Text("STORAGE_DIR", "storage"), signer)
		parts.Route("GET "+filesPath+"{id}/{name}", d.handler(log))
		return d
	})
}

// valid refuses keys that would lead out of the storage, or to what it keeps for itself.
func valid(key string) bool {
	id, name, ok := strings.Cut(key, "/")
	return ok && part(id) && id[0] != '.' && part(name)
}

func part(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/\\\x00")
}

// contentType goes by the name: only a few types are stored.
func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".csv":
		return "text/csv; charset=utf-8"
	case ".json":
		return "application/json"
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".pdf":
		return "application/pdf"
	}
	return "application/octet-stream"
}
