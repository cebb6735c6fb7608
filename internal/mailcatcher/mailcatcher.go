// Package mailcatcher is the mail server of a development stack without containers: an SMTP server that accepts every
// mail and delivers none, and an HTTP server with a page and an API to look at them. The API has the paths and the JSON
// fields of Mailpit's API v1, which takes this package's place when the stack runs in containers.
package mailcatcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// maxMailBytes is the largest mail that SMTP accepts: the limit of the large public providers, so that what is sent
	// here can be sent there.
	maxMailBytes = 25 << 20
	// maxTotalBytes bounds the folder, whatever the number of mails: a loop that sends attachments must not fill a disk.
	maxTotalBytes = 512 << 20
	// defaultMaxMessages is more than a person scrolls through.
	defaultMaxMessages = 500
	// stopGrace is how long requests and mails under way may take once the server is told to stop. Run promises to be
	// back within 500 ms; the rest is for closing.
	stopGrace = 300 * time.Millisecond
)

// Options configures a Server.
type Options struct {
	// Dir holds the mails, one .eml file each. It is created when missing, readable by its owner only.
	Dir string
	// MaxMessages is how many mails are kept; the oldest go first. Zero means 500. All mails together are bounded by
	// 512 MiB, one mail by 25 MiB.
	MaxMessages int
	// Log is required.
	Log *slog.Logger
}

// Server catches mail. Its methods are safe for concurrent use.
type Server struct {
	log     *slog.Logger
	store   *store
	started time.Time
	grace   time.Duration // stopGrace, but in tests
}

// New opens the folder with the mails of earlier runs. It does not read them: a mail is parsed when it is first shown.
func New(opts Options) (*Server, error) {
	if opts.Log == nil {
		return nil, errors.New("mailcatcher: Options.Log is nil")
	}
	if opts.Dir == "" {
		return nil, errors.New("mailcatcher: Options.Dir is empty")
	}
	if opts.MaxMessages <= 0 {
		opts.MaxMessages = defaultMaxMessages
	}
	st, err := openStore(opts.Dir, limits{messages: opts.MaxMessages, bytes: maxTotalBytes}, opts.Log)
	if err != nil {
		return nil, err
	}
	return &Server{log: opts.Log, store: st, started: time.Now(), grace: stopGrace}, nil
}

// Run serves SMTP and HTTP on the given listeners until ctx ends, then closes both: a mail that is being received gets
// a short grace to finish, idle connections are told to go. It returns within 500 ms of the end of ctx, unless the disk keeps
// it waiting, with nil, or earlier with the error of a listener that broke. The listeners are closed in every case, and no
// mail is worked on any more. Call it once.
func (s *Server) Run(ctx context.Context, smtp, web net.Listener) error {
	tracked := newTrackedListener(smtp)
	mailServer := s.newSMTPServer()
	webServer := &http.Server{
		Handler:           s.handler(smtp.Addr()),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := mailServer.Serve(tracked); err != nil && ctx.Err() == nil {
			return fmt.Errorf("serve SMTP on %s: %w", smtp.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		if err := webServer.Serve(web); err != nil && !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the mail page on %s: %w", web.Addr(), err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.grace)
		defer cancel()
		var stop errgroup.Group
		stop.Go(func() error {
			tracked.drain()
			defer context.AfterFunc(grace, tracked.closeConns)()
			return mailServer.Shutdown(context.WithoutCancel(grace)) // waits for all sessions
		})
		stop.Go(func() error {
			if err := webServer.Shutdown(grace); err != nil {
				return webServer.Close()
			}
			return nil
		})
		_ = stop.Wait() // closing has no outcome that the caller could act on
		return nil
	})
	return g.Wait()
}
