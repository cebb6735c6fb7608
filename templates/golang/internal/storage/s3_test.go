package storage

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// bucket is a server that speaks as much of S3 as the storage needs, and wants every request signed.
type bucket struct {
	t     *testing.T
	mu    sync.Mutex
	made  bool
	files map[string][]byte
	parts map[string][]byte // by part number
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	query := r.URL.Query()
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=access/") &&
		!strings.HasPrefix(query.Get("X-Amz-Credential"), "access/") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	name, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if name != "shop" {
		b.t.Errorf("%s %s is not for the bucket", r.Method, r.URL)
	}
	fail := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
	}
	switch {
	case key == "" && r.Method == http.MethodHead && !b.made:
		w.WriteHeader(http.StatusNotFound)
	case key == "":
		b.made = true
	case !b.made:
		fail(http.StatusNotFound, "NoSuchBucket")
	case r.Method == http.MethodPost && query.Has("uploads"):
		fmt.Fprint(w, "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
	case r.Method == http.MethodPut && query.Has("partNumber"):
		b.parts[query.Get("partNumber")] = b.body(r)
		w.Header().Set("ETag", `"part"`)
	case r.Method == http.MethodPost && query.Has("uploadId"):
		var order struct {
			Part []struct{ PartNumber string }
		}
		if err := xml.NewDecoder(r.Body).Decode(&order); err != nil {
			b.t.Error(err)
		}
		b.files[key] = nil
		for _, p := range order.Part {
			b.files[key] = append(b.files[key], b.parts[p.PartNumber]...)
		}
		fmt.Fprint(w, `<CompleteMultipartUploadResult><Bucket>shop</Bucket><ETag>"all"</ETag></CompleteMultipartUploadResult>`)
	case r.Method == http.MethodPut:
		b.files[key] = b.body(r)
		w.Header().Set("ETag", `"all"`)
	default:
		data, ok := b.files[key]
		if !ok {
			fail(http.StatusNotFound, "NoSuchKey")
			return
		}
		w.Header().Set("ETag", `"all"`)
		w.Header().Set("Content-Disposition", query.Get("response-content-disposition"))
		http.ServeContent(w, r, "", time.Unix(1_700_000_000, 0), bytes.NewReader(data))
	}
}

// body reads what was sent, without the frames of AWS' chunked encoding: "<length>;chunk-signature=<...>".
func (b *bucket) body(r *http.Request) []byte {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			b.t.Error(err)
		}
		return data
	}
	var data []byte
	in := bufio.NewReader(r.Body)
	for {
		head, err := in.ReadString('\n')
		size, _, _ := strings.Cut(head, ";")
		n, parseErr := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
		if err != nil || parseErr != nil {
			b.t.Errorf("chunk %q: %v", head, errors.Join(err, parseErr))
			return nil
		}
		if n == 0 {
			_, _ = io.Copy(io.Discard, in)
			return data
		}
		chunk := make([]byte, n+2)
		if _, err := io.ReadFull(in, chunk); err != nil {
			b.t.Error(err)
			return nil
		}
		data = append(data, chunk[:n]...)
	}
}

func TestS3(t *testing.T) {
	t.Parallel()
	b := &bucket{t: t, files: map[string][]byte{}, parts: map[string][]byte{}}
	srv := httptest.NewServer(b)
	t.Cleanup(srv.Close)
	s, err := NewS3(S3Options{
		Endpoint: srv.URL, Bucket: "shop", Region: "us-east-1", AccessKey: "access", SecretKey: "secret", TTL: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), testKey); !errors.Is(err, ErrNotFound) {
		t.Errorf("before there is a bucket: %v", err)
	}
	for _, content := range []string{"", "a,b\r\n", strings.Repeat("0123456789", partSize/10+1)} {
		// Without its other methods: what a job writes has no length that could be asked for.
		if err := s.Put(t.Context(), testKey, struct{ io.Reader }{strings.NewReader(content)}); err != nil {
			t.Fatal(err)
		}
		if got := read(t, s, testKey); got != content {
			t.Errorf("got %d bytes, want %d", len(got), len(content))
		}
	}
	if _, err := s.Get(t.Context(), "a/b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a missing file: %v", err)
	}
	link, err := s.Link(t.Context(), testKey)
	if err != nil {
		t.Fatal(err)
	}
	resp, body := fetch(t, link) //nolint:bodyclose // fetch has closed it
	if resp.StatusCode != http.StatusOK || len(body) <= partSize ||
		!strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment; filename") {
		t.Errorf("%s: got %d, %d bytes, %v", link, resp.StatusCode, len(body), resp.Header)
	}
	if strings.Contains(link, "secret") {
		t.Errorf("the link holds the secret: %s", link)
	}
}

// Browsers may reach the store by another address than the service does, which links have to be signed for.
func TestS3PublicEndpoint(t *testing.T) {
	t.Parallel()
	opts := S3Options{
		Endpoint: "http://minio:9000", PublicEndpoint: "https://files.example.com", Bucket: "shop", Region: "us-east-1",
		AccessKey: "access", SecretKey: "secret", TTL: time.Minute,
	}
	s, err := NewS3(opts)
	if err != nil {
		t.Fatal(err)
	}
	link, err := s.Link(t.Context(), testKey)
	if err != nil || !strings.HasPrefix(link, "https://files.example.com/shop/0b0b0b0b-") {
		t.Errorf("got %s, %v", link, err)
	}
	opts.PublicEndpoint = "https://"
	if _, err := NewS3(opts); err == nil || !strings.Contains(err.Error(), "S3_PUBLIC_ENDPOINT") {
		t.Errorf("an address without a host: %v", err)
	}
}

func TestNewS3Refuses(t *testing.T) {
	t.Parallel()
	valid := S3Options{Endpoint: "http://localhost:9000", Bucket: "b", AccessKey: "a", SecretKey: "hidden"}
	faults := []func(*S3Options){
		func(o *S3Options) { o.Bucket = "" }, func(o *S3Options) { o.AccessKey = "" },
		func(o *S3Options) { o.SecretKey = "" }, func(o *S3Options) { o.Endpoint = "http://" },
	}
	for i, fault := range slices.Backward(faults) {
		opts := valid
		fault(&opts)
		if _, err := NewS3(opts); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("fault %d: %v", i, err)
		}
	}
}
