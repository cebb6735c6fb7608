package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

// serve prints its address, serves until standard input ends, and returns.
func serve(h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		srv.Close()
	}()
	if _, err := fmt.Fprintln(os.Stdout, l.Addr()); err != nil {
		return err
	}
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serveHandler is a function service that answers at once.
func serveHandler() error {
	return serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, benchAnswer)
	}))
}

// serveProxy is the yardstick: the standard library's reverse proxy, bare, or with enough idle connections that it need
// not dial, which its default of two for each host makes it do under load.
func serveProxy(handler string, pooled bool) error {
	target, err := url.Parse("http://" + handler)
	if err != nil {
		return err
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	if pooled {
		proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 4 * loadClients}
	}
	return serve(proxy)
}
