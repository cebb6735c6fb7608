package calllog

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// minSecret is how long a configured secret must be to be looked for in texts: a short one would be found by accident.
const minSecret = 8

// Log writes calls. Add may be called by many goroutines at once; Run is called once.
type Log struct {
	dir    string
	log    *slog.Logger
	queue  chan Entry
	missed atomic.Int64
	redact redactor

	file  *os.File
	bytes int64
	calls int
}

// New returns a log in dir. secrets are values that are left out wherever they stand.
func New(dir string, secrets []string, log *slog.Logger) *Log {
	l := &Log{dir: dir, log: log, queue: make(chan Entry, maxQueued)}
	for _, s := range secrets {
		if len(s) >= minSecret {
			l.redact.known = append(l.redact.known, s)
		}
	}
	return l
}

// Add takes a call with its secrets, to be written soon; ID is set then. It never waits: with too many calls at once some
// are counted only.
func (l *Log) Add(e Entry) {
	select {
	case l.queue <- e:
	default:
		l.missed.Add(1)
	}
}

// Run writes what is added until ctx ends, and then what is left.
func (l *Log) Run(ctx context.Context) error {
	defer func() {
		if l.file != nil {
			_ = l.file.Close()
		}
	}()
	for {
		select {
		case e := <-l.queue:
			l.write(ctx, e)
		case <-ctx.Done():
			for {
				select {
				case e := <-l.queue:
					l.write(ctx, e)
				default:
					return nil
				}
			}
		}
	}
}

func (l *Log) write(ctx context.Context, e Entry) {
	e.ID = strings.ToLower(rand.Text()[:8])
	e.Missed = l.missed.Swap(0)
	l.clean(&e)
	if err := l.append(e); err != nil {
		l.log.WarnContext(ctx, "call not kept", slog.String("action", e.Action), slog.Any("error", err))
	}
}

// clean takes the secrets and what is too large out of e.
func (l *Log) clean(e *Entry) {
	e.Session, e.Headers = l.redact.pairs(e.Session), l.redact.pairs(e.Headers)
	e.Error = l.redact.text(e.Error)
	if len(e.Input) > maxPartBytes {
		e.Input, e.Cut = nil, append(e.Cut, "input")
	} else if len(e.Input) > 0 {
		var err error
		if e.Input, e.Hidden, err = l.redact.json(e.Input); err != nil {
			e.Input = nil
		}
	}
	if len(e.Response) > maxPartBytes {
		e.Response, e.Cut = nil, append(e.Cut, "response")
	} else if len(e.Response) > 0 {
		clean, _, err := l.redact.json(e.Response)
		if err != nil { // an error page, say
			l.redact.out.Reset()
			err = l.redact.write(l.redact.text(strings.ToValidUTF8(string(e.Response), "?")))
			clean = bytes.Clone(l.redact.out.Bytes())
		}
		if e.Response = clean; err != nil {
			e.Response = nil
		}
	}
}

func (l *Log) append(e Entry) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return fmt.Errorf("write a call: %w", err)
	}
	if l.file == nil {
		if err := l.open(); err != nil {
			return err
		}
	}
	if l.calls >= maxFileCalls || l.bytes+int64(line.Len()) > maxFileBytes {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	n, err := l.file.Write(line.Bytes())
	l.bytes += int64(n)
	l.calls++
	if err != nil {
		return fmt.Errorf("write a call: %w", err)
	}
	return nil
}

func (l *Log) open() error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fmt.Errorf("open the log of calls: %w", err)
	}
	path := filepath.Join(l.dir, currentFile)
	have, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("open the log of calls: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of calls: %w", err)
	}
	l.file, l.bytes, l.calls = f, int64(len(have)), bytes.Count(have, []byte("\n"))
	if len(have) > 0 && have[len(have)-1] != '\n' { // a machine that lost power in the middle of a line
		if _, err := f.WriteString("\n"); err != nil {
			return fmt.Errorf("open the log of calls: %w", err)
		}
	}
	return nil
}

func (l *Log) rotate() error {
	_ = l.file.Close()
	l.file = nil
	if err := os.Rename(filepath.Join(l.dir, currentFile), filepath.Join(l.dir, olderFile)); err != nil {
		return fmt.Errorf("put the log of calls aside: %w", err)
	}
	return l.open()
}

// Now is the time of an entry that ends now; the log keeps milliseconds.
func Now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
