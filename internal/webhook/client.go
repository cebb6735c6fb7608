package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// DefaultTimeout is Hasura's for an action that names none.
	DefaultTimeout = 30 * time.Second
	// DefaultMaxResponseBytes bounds an answer, after decompression. Hasura has no bound; a handler that streams without
	// end would take the whole process down.
	DefaultMaxResponseBytes = 10 << 20
	// maxConnsPerHost bounds the calls under way at one handler host; further ones wait within their timeout.
	maxConnsPerHost = 2048
	// idleConn is how long an unused connection is kept. Node's servers close theirs after 5 s.
	idleConn = 4 * time.Second
	// maxRedirects is Hasura's.
	maxRedirects = 10
)

// Options configure a [Client]. The zero value is usable.
type Options struct {
	// MaxResponseBytes bounds an answer, after decompression. Zero: [DefaultMaxResponseBytes].
	MaxResponseBytes int
	// TLS is the configuration of https handlers. Nil: the system's roots.
	TLS *tls.Config
}

// Client calls handlers and keeps connections to them. It is safe for concurrent use.
type Client struct {
	options Options
	hosts   sync.Map // scheme://host:port to *host
	count   atomic.Int64
	buffers sync.Pool

	life  context.Context //nolint:containedctx // it is the Client's, not a call's
	abort context.CancelFunc
	mu    sync.Mutex
	open  map[*conn]struct{} // nil after Abort
}

// NewClient makes a Client.
func NewClient(o Options) *Client {
	if o.MaxResponseBytes == 0 {
		o.MaxResponseBytes = DefaultMaxResponseBytes
	}
	c := &Client{options: o, open: map[*conn]struct{}{}}
	c.buffers.New = newBuffers
	c.life, c.abort = context.WithCancel(context.Background())
	return c
}

// Target is a parsed URL with the connections to its host. It is safe for concurrent use.
type Target struct {
	uri  fasthttp.URI
	host *host
}

// Target parses an http or https URL. What is not ASCII is to be percent-encoded already.
func (c *Client) Target(url string) (*Target, error) { return c.target(url, false) }

// LaxTarget is like Target, for a host that may use a certificate that it has signed itself, or of another name. It must
// be one that is valid today.
func (c *Client) LaxTarget(url string) (*Target, error) { return c.target(url, true) }

func (c *Client) target(url string, lax bool) (*Target, error) {
	text, err := requestable(url)
	if err != nil {
		return nil, fmt.Errorf("handler URL %q: %w", url, err)
	}
	t := &Target{}
	if err := t.uri.Parse(nil, []byte(text)); err != nil {
		return nil, fmt.Errorf("handler URL %q: %w", url, err)
	}
	t.uri.DisablePathNormalizing = true // %2F in a value that a transform has escaped must not become a slash
	scheme, host := string(t.uri.Scheme()), string(t.uri.Host())
	if (scheme != "http" && scheme != "https") || host == "" {
		return nil, fmt.Errorf("handler URL %q: not an absolute http or https URL", url)
	}
	t.host = c.host(scheme, host, lax)
	return t, nil
}

// requestable makes sure that a URL can stand in a request line as it is: nothing in it ends the line or the URL, and
// the path is not empty.
func requestable(url string) (string, error) {
	for i := range len(url) {
		if c := url[i]; c <= ' ' || c == 0x7f {
			return "", errors.New("a blank or control character is in it")
		}
	}
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return "", errors.New("not an absolute http or https URL")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if !strings.HasPrefix(rest[end:], "/") {
		rest = rest[:end] + "/" + rest[end:]
	}
	return scheme + "://" + rest, nil
}

// Secure tells whether the URL is https.
func (t *Target) Secure() bool { return t.host.tls != nil }

// Address is host:port.
func (t *Target) Address() string { return t.host.addr }

// Path is the path as it is sent.
func (t *Target) Path() string { return string(t.uri.PathOriginal()) }

// Query is the query string, without the question mark.
func (t *Target) Query() string { return string(t.uri.QueryString()) }

// maxHosts bounds the hosts whose connections are kept: a template can make the host of a URL from a client's input.
const maxHosts = 1000

// host returns the connections to one host, made at the first use.
func (c *Client) host(scheme, name string, lax bool) *host {
	key := scheme + "://" + name
	if lax {
		key = "lax " + key
	}
	if known, ok := c.hosts.Load(key); ok {
		return known.(*host) //nolint:forcetypeassert // nothing else is stored
	}
	secure := scheme == "https"
	fresh := c.newHost(secure, fasthttp.AddMissingPort(name, secure))
	if secure && lax {
		fresh.tls.InsecureSkipVerify = true // what the metadata asks for, for this host
		fresh.tls.VerifyConnection = verifyDates
	}
	if c.count.Add(1) > maxHosts {
		return fresh
	}
	known, _ := c.hosts.LoadOrStore(key, fresh)
	return known.(*host) //nolint:forcetypeassert // nothing else is stored
}

// remember notes an open connection. It tells whether there may be any.
func (c *Client) remember(k *conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		return false
	}
	c.open[k] = struct{}{}
	return true
}

func (c *Client) forget(k *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, k)
}

// Close closes idle connections. Calls under way go on.
func (c *Client) Close() {
	c.hosts.Range(func(_, known any) bool {
		known.(*host).closeIdle() //nolint:forcetypeassert // nothing else is stored
		return true
	})
}

// Abort cuts all connections: calls under way fail at once, and so does every later one.
func (c *Client) Abort() {
	c.abort()
	c.mu.Lock()
	open := c.open
	c.open = nil
	c.mu.Unlock()
	for k := range open {
		k.close()
	}
}
