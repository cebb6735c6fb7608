package storage

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"path"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/nself-org/nself/templates/golang/internal/config"
)

// partSize is how much of a file is in memory at a time while it is sent. S3 wants 5 MiB at least.
const partSize = 5 << 20

// S3Options say where the store is.
type S3Options struct {
	Endpoint       string // its URL, such as https://s3.example.com
	PublicEndpoint string // its URL in links, where browsers reach it by another one; empty: Endpoint
	Bucket         string // made when it is missing
	Region         string
	AccessKey      string
	SecretKey      config.Secret
	TTL            time.Duration // how long links live
}

// S3 keeps files in an S3-compatible store.
type S3 struct {
	client *minio.Client
	signer *minio.Client // for links; it never connects
	opts   S3Options
	ready  atomic.Bool // the bucket was seen
}

var _ Storage = (*S3)(nil)

// NewS3 makes an S3. It does not connect.
func NewS3(opts S3Options) (*S3, error) {
	if opts.Bucket == "" || opts.AccessKey == "" || opts.SecretKey == "" {
		return nil, errors.New("S3_ENDPOINT is set, so S3_BUCKET, S3_ACCESS_KEY and S3_SECRET_KEY must be too")
	}
	client, err := opts.client("S3_ENDPOINT", opts.Endpoint)
	if err != nil {
		return nil, err
	}
	signer, err := opts.client("S3_PUBLIC_ENDPOINT", cmp.Or(opts.PublicEndpoint, opts.Endpoint))
	if err != nil {
		return nil, err
	}
	return &S3{client: client, signer: signer, opts: opts}, nil
}

// client makes a client for an endpoint, which the variable key has named.
func (o S3Options) client(key, endpoint string) (*minio.Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%s is not a valid URL", key)
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds:  credentials.NewStaticV4(o.AccessKey, o.SecretKey.Reveal(), ""),
		Secure: u.Scheme == "https", Region: o.Region,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return client, nil
}

// Put implements [Storage]: the store shows a file when all of it has arrived.
func (s *S3) Put(ctx context.Context, key string, r io.Reader) error {
	if !valid(key) {
		return fmt.Errorf("store %q: the key is not <id>/<name>", key)
	}
	// What fits into one part is sent in one request; its size has to be known for that.
	buffered, size := bufio.NewReaderSize(r, partSize), int64(-1)
	if first, err := buffered.Peek(partSize); errors.Is(err, io.EOF) {
		size = int64(len(first))
	} else if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	put := func() error {
		_, err := s.client.PutObject(ctx, s.opts.Bucket, key, buffered, size, minio.PutObjectOptions{
			ContentType: contentType(key), PartSize: partSize, NumThreads: 1,
		})
		return err
	}
	if err := s.bucket(ctx); err != nil {
		return err
	}
	if err := put(); err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	return nil
}

// bucket makes the bucket when it is missing.
func (s *S3) bucket(ctx context.Context) error {
	if s.ready.Load() {
		return nil
	}
	ok, err := s.client.BucketExists(ctx, s.opts.Bucket)
	if err == nil && !ok {
		err = s.client.MakeBucket(ctx, s.opts.Bucket, minio.MakeBucketOptions{Region: s.opts.Region})
		if code := minio.ToErrorResponse(err).Code; code == minio.BucketAlreadyOwnedByYou {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("look for the bucket %s: %w", s.opts.Bucket, err)
	}
	s.ready.Store(true)
	return nil
}

// Get implements [Storage].
func (s *S3) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	object, err := s.client.GetObject(ctx, s.opts.Bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	if _, err := object.Stat(); err != nil {
		_ = object.Close()
		if code := minio.ToErrorResponse(err).Code; code == minio.NoSuchKey || code == minio.NoSuchBucket {
			return nil, ErrNotFound
		}
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	return object, nil
}

// Link implements [Storage] with a presigned URL of the store.
func (s *S3) Link(ctx context.Context, key string) (string, error) {
	u, err := s.signer.PresignedGetObject(ctx, s.opts.Bucket, key, s.opts.TTL, url.Values{
		"response-content-disposition": {
			mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(key)}),
		},
	})
	if err != nil {
		return "", fmt.Errorf("sign a link to %s: %w", key, err)
	}
	return u.String(), nil
}
