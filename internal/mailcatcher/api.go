package mailcatcher

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/mail"
	"runtime"
	"strconv"
	"strings"
	"time"
)

const (
	// latestID stands for the newest mail in place of an id.
	latestID = "latest"
	// defaultLimit is the length of a list when the request names none.
	defaultLimit = 50
	// maxRequestBytes bounds a request's body: a list of every id that a store may hold fits.
	maxRequestBytes = 1 << 20
)

// messagesSummary is a list of mails: Mailpit's MessagesSummary.
type messagesSummary struct {
	Total          int              `json:"total"`
	Unread         int              `json:"unread"`
	Count          int              `json:"count"`
	MessagesCount  int              `json:"messages_count"`
	MessagesUnread int              `json:"messages_unread"`
	Start          int              `json:"start"`
	Tags           []string         `json:"tags"`
	Messages       []messageSummary `json:"messages"`
}

// messageSummary is one line of a list: Mailpit's MessageSummary.
type messageSummary struct {
	ID          string
	MessageID   string
	Read        bool
	From        *mail.Address
	To          []*mail.Address
	Cc          []*mail.Address
	Bcc         []*mail.Address
	ReplyTo     []*mail.Address
	Subject     string
	Created     time.Time
	Username    string
	Tags        []string
	Size        int64
	Attachments int
	Snippet     string
}

// appInfo is Mailpit's AppInformation.
type appInfo struct {
	Version       string
	LatestVersion string
	Database      string
	DatabaseSize  int64
	Messages      int
	Unread        int
	Tags          map[string]int
	RuntimeStats  runtimeStats
}

type runtimeStats struct {
	Uptime           int64 // seconds
	Memory           uint64
	MessagesDeleted  int64
	SMTPAccepted     int64
	SMTPAcceptedSize int64
	SMTPRejected     int64
	SMTPIgnored      int64
}

// handler builds the HTTP side. smtpAddr is where mail is taken, for the page to say.
func (s *Server) handler(smtpAddr net.Addr) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", newPage(smtpAddr))
	mux.HandleFunc("GET /livez", s.healthy)
	mux.HandleFunc("GET /readyz", s.healthy)
	mux.HandleFunc("GET /api/v1/info", s.getInfo)
	mux.HandleFunc("GET /api/v1/messages", s.listMessages)
	mux.HandleFunc("PUT /api/v1/messages", s.markMessages)
	mux.HandleFunc("DELETE /api/v1/messages", s.deleteMessages)
	mux.HandleFunc("GET /api/v1/search", s.searchMessages)
	mux.HandleFunc("DELETE /api/v1/search", s.deleteSearch)
	mux.HandleFunc("GET /api/v1/message/{id}", s.withEntry(s.getMessage))
	mux.HandleFunc("GET /api/v1/message/{id}/headers", s.withEntry(s.getHeaders))
	mux.HandleFunc("GET /api/v1/message/{id}/raw", s.withEntry(s.getRaw))
	mux.HandleFunc("GET /api/v1/message/{id}/part/{part}", s.withEntry(s.getPart))
	mux.HandleFunc("GET /view/{file}", s.getView)
	return guard(mux)
}

func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok")
}

func (s *Server) getInfo(w http.ResponseWriter, _ *http.Request) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	total, unread, size := s.store.counts()
	s.writeJSON(w, appInfo{
		Version: "nself", LatestVersion: "nself", Database: s.store.dir, DatabaseSize: size,
		Messages: total, Unread: unread, Tags: map[string]int{},
		RuntimeStats: runtimeStats{
			Uptime: int64(time.Since(s.started).Seconds()), Memory: mem.Sys,
			MessagesDeleted: s.store.deleted.Load(), SMTPAccepted: s.store.accepted.Load(),
			SMTPAcceptedSize: s.store.acceptedBytes.Load(), SMTPRejected: s.store.rejected.Load(),
		},
	})
}

func (s *Server) listMessages(w http.ResponseWriter, r *http.Request) { s.writeList(w, r, nil) }

func (s *Server) searchMessages(w http.ResponseWriter, r *http.Request) {
	query := strings.TrimSpace(r.URL.Query().Get("query"))
	if query == "" {
		http.Error(w, "Error: no search query", http.StatusBadRequest)
		return
	}
	s.writeList(w, r, parseQuery(query))
}

// writeList answers with one page of the mails that match. The page polls it: an unchanged list costs a 304.
func (s *Server) writeList(w http.ResponseWriter, r *http.Request, f filter) {
	entries, version := s.store.newestFirst()
	tag := fmt.Sprintf(`"%x-%d"`, s.started.UnixNano(), version)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	found := s.search(entries, f)
	res := messagesSummary{MessagesCount: len(found), Tags: []string{}, Messages: []messageSummary{}}
	res.Total, res.Unread, _ = s.store.counts()
	read := s.store.isRead(found)
	for _, seen := range read {
		if !seen {
			res.MessagesUnread++
		}
	}
	start, limit := pageOf(r)
	res.Start = start
	for i := min(start, len(found)); i < min(start+limit, len(found)); i++ {
		d, err := s.store.digest(found[i])
		if err != nil {
			s.log.DebugContext(r.Context(), "mail left out of a list", slog.String("id", found[i].id), slog.Any("error", err))
			continue
		}
		res.Messages = append(res.Messages, summaryOf(found[i], d, read[i]))
	}
	res.Count = len(res.Messages)
	s.writeJSON(w, res)
}

// search returns the entries that match, in their order. A nil filter matches all and reads no mail.
func (s *Server) search(entries []*entry, f filter) []*entry {
	if len(f) == 0 {
		return entries
	}
	read := s.store.isRead(entries)
	var found []*entry
	for i, e := range entries {
		if d, err := s.store.digest(e); err == nil && f.matches(d, read[i]) {
			found = append(found, e)
		}
	}
	return found
}

func summaryOf(e *entry, d *digest, read bool) messageSummary {
	return messageSummary{
		ID: e.id, MessageID: d.messageID, Read: read, From: d.from, To: d.to, Cc: d.cc, Bcc: d.bcc, ReplyTo: d.replyTo,
		Subject: d.subject, Created: e.created, Username: d.username, Tags: []string{}, Size: e.size,
		Attachments: d.attachments, Snippet: d.snippet,
	}
}

func pageOf(r *http.Request) (start, limit int) {
	limit = defaultLimit
	if n, err := strconv.Atoi(r.URL.Query().Get("start")); err == nil && n > 0 && n <= 1<<30 {
		start = n
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil && n > 0 && n <= 1<<30 {
		limit = n
	}
	return start, limit
}

// markMessages sets the read mark of the mails in IDs, of those that match Search, or of all.
func (s *Server) markMessages(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Read   bool
		IDs    []string
		Search string
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes)).Decode(&body); err != nil {
		http.Error(w, "Error: "+err.Error(), http.StatusBadRequest)
		return
	}
	switch {
	case len(body.IDs) > 0 && body.Search != "":
		http.Error(w, "Error: give either IDs or Search, not both", http.StatusBadRequest)
		return
	case body.Search != "":
		s.store.setRead(s.searchIDs(body.Search), body.Read)
	case len(body.IDs) > 0:
		s.store.setRead(body.IDs, body.Read)
	default:
		s.store.setRead(nil, body.Read)
	}
	s.healthy(w, r)
}

// deleteMessages deletes the mails in IDs, or all when there is no body or no IDs in it.
func (s *Server) deleteMessages(w http.ResponseWriter, r *http.Request) {
	var body struct{ IDs []string }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes)).Decode(&body)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		// Mailpit deletes everything here. A mistyped list of ids should not.
		http.Error(w, "Error: "+err.Error(), http.StatusBadRequest)
		return
	case len(body.IDs) == 0:
		s.store.removeAll()
	default:
		s.store.remove(body.IDs)
	}
	s.healthy(w, r)
}

func (s *Server) deleteSearch(w http.ResponseWriter, r *http.Request) {
	query := strings.TrimSpace(r.URL.Query().Get("query"))
	if query == "" {
		http.Error(w, "Error: no search query", http.StatusBadRequest)
		return
	}
	s.store.remove(s.searchIDs(query))
	s.healthy(w, r)
}

// searchIDs returns the ids of the mails that match; never nil, which would stand for all.
func (s *Server) searchIDs(query string) []string {
	ids := []string{}
	f := parseQuery(query)
	if len(f) == 0 {
		return ids
	}
	entries, _ := s.store.newestFirst()
	for _, e := range s.search(entries, f) {
		ids = append(ids, e.id)
	}
	return ids
}

// resolve finds the mail that a path names; "latest" may be narrowed by the query parameter.
func (s *Server) resolve(id string, r *http.Request) (*entry, error) {
	if id != latestID {
		return s.store.find(id)
	}
	entries, _ := s.store.newestFirst()
	found := s.search(entries, parseQuery(r.URL.Query().Get("query")))
	if len(found) == 0 {
		return nil, errNotFound
	}
	return found[0], nil
}

func (s *Server) withEntry(
	serve func(w http.ResponseWriter, r *http.Request, e *entry) error,
) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		e, err := s.resolve(r.PathValue("id"), r)
		if err == nil {
			err = serve(w, r, e)
		}
		s.writeError(w, err)
	}
}

func (s *Server) writeError(w http.ResponseWriter, err error) {
	switch {
	case err == nil:
	case errors.Is(err, errNotFound):
		http.Error(w, "Error: message not found", http.StatusNotFound)
	default:
		s.log.Error("mail not shown", slog.Any("error", err))
		http.Error(w, "Error: the mail cannot be read", http.StatusInternalServerError)
	}
}

func (s *Server) writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("answer not written", slog.Any("error", err)) // the client went away
	}
}

func strconvQuote(text string) string {
	if len(text) > 100 {
		text = text[:100]
	}
	return strconv.QuoteToASCII(text)
}
