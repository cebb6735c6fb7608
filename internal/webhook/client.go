package webhook

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
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
	// maxConnsPerHost bounds the connections to one handler host; further calls wait within their timeout.
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
	hosts   sync.Map // scheme://host:port to *fasthttp.HostClient
	count   atomic.Int64
}

// NewClient makes a Client.
func NewClient(o Options) *Client {
	if o.MaxResponseBytes == 0 {
		o.MaxResponseBytes = DefaultMaxResponseBytes
	}
	return &Client{options: o}
}

// Target is a parsed URL with the connections to its host. It is safe for concurrent use.
type Target struct {
	uri  fasthttp.URI
	host *fasthttp.HostClient
}

// Target parses an http or https URL. What is not ASCII is to be percent-encoded already.
func (c *Client) Target(url string) (*Target, error) {
	text, err := requestable(url)
	if err != nil {
		return nil, fmt.Errorf("handler URL %q: %w", url, err)
	}
	t := &Target{}
	if err := t.uri.Parse(nil, []byte(text)); err != nil {
		return nil, fmt.Errorf("handler URL %q: %w", url, err)
	}
	scheme, host := string(t.uri.Scheme()), string(t.uri.Host())
	if (scheme != "http" && scheme != "https") || host == "" {
		return nil, fmt.Errorf("handler URL %q: not an absolute http or https URL", url)
	}
	t.host = c.host(scheme, host)
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
func (t *Target) Secure() bool { return t.host.IsTLS }

// Address is host:port.
func (t *Target) Address() string { return t.host.Addr }

// Path is the path as it is sent.
func (t *Target) Path() string { return string(t.uri.PathOriginal()) }

// Query is the query string, without the question mark.
func (t *Target) Query() string { return string(t.uri.QueryString()) }

// maxHosts bounds the hosts whose connections are kept: a template can make the host of a URL from a client's input.
const maxHosts = 1000

// host returns the connections to one host, made at the first use.
func (c *Client) host(scheme, host string) *fasthttp.HostClient {
	key := scheme + "://" + host
	if known, ok := c.hosts.Load(key); ok {
		return known.(*fasthttp.HostClient) //nolint:forcetypeassert // nothing else is stored
	}
	addr := fasthttp.AddMissingPort(host, scheme == "https")
	fresh := &fasthttp.HostClient{
		Addr:                          addr,
		IsTLS:                         scheme == "https",
		TLSConfig:                     c.options.TLS,
		DialTimeout:                   dial,
		MaxConns:                      maxConnsPerHost,
		MaxIdleConnDuration:           idleConn,
		MaxConnWaitTimeout:            DefaultTimeout,
		MaxResponseBodySize:           c.options.MaxResponseBytes,
		NoDefaultUserAgentHeader:      true,
		DisableHeaderNamesNormalizing: true,
		DisablePathNormalizing:        true,
		// Only a call of which nothing was sent is repeated: a handler is never called twice. Each attempt uses up one
		// dead connection, so the number of attempts has a bound of its own.
		RetryIfErr: func(_ *fasthttp.Request, _ int, err error) (resetTimeout, retry bool) {
			return false, errors.Is(err, errStale)
		},
		MaxIdemponentCallAttempts: maxConnsPerHost + 1,
	}
	if c.count.Add(1) > maxHosts {
		return fresh
	}
	known, _ := c.hosts.LoadOrStore(key, fresh)
	return known.(*fasthttp.HostClient) //nolint:forcetypeassert // nothing else is stored
}

// dial connects within timeout and watches the connection for the other side closing it.
func dial(addr string, timeout time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: timeout}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return watch(conn), nil
}

// Close closes idle connections. Calls under way go on.
func (c *Client) Close() {
	c.hosts.Range(func(_, host any) bool {
		host.(*fasthttp.HostClient).CloseIdleConnections() //nolint:forcetypeassert // nothing else is stored
		return true
	})
}
