package mailcatcher

import (
	"crypto/md5"  //nolint:gosec // a checksum that the API names, not a protection
	"crypto/sha1" //nolint:gosec // a checksum that the API names, not a protection
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jhillyerd/enmime/v2"
)

// messageDetail is one mail: Mailpit's Message.
type messageDetail struct {
	ID              string
	MessageID       string
	From            *mail.Address
	To              []*mail.Address
	Cc              []*mail.Address
	Bcc             []*mail.Address
	ReplyTo         []*mail.Address
	ReturnPath      string
	Subject         string
	ListUnsubscribe listUnsubscribe
	Date            time.Time
	Tags            []string
	Username        string
	Text            string
	HTML            string
	Size            int64
	Inline          []attachment
	Attachments     []attachment
}

type listUnsubscribe struct {
	Header     string
	Links      []string
	Errors     string
	HeaderPost string
}

type attachment struct {
	PartID      string
	FileName    string
	ContentType string
	ContentID   string
	Size        int
	Checksums   checksums
}

type checksums struct{ MD5, SHA1, SHA256 string }

// getMessage shows a mail and marks it as read.
func (s *Server) getMessage(w http.ResponseWriter, _ *http.Request, e *entry) error {
	m, err := s.store.load(e)
	if err != nil {
		return err
	}
	s.store.setRead([]string{e.id}, true)
	s.writeJSON(w, messageDetail{
		ID: e.id, MessageID: m.MessageID, From: m.From, To: m.To, Cc: m.Cc, Bcc: m.Bcc, ReplyTo: m.ReplyTo,
		ReturnPath: m.Return, Subject: m.Subject, ListUnsubscribe: unsubscribeOf(m), Date: m.Date, Tags: []string{},
		Username: m.Username, Text: m.Text, HTML: m.HTML, Size: m.Size,
		Inline: attachmentsOf(m.Inline), Attachments: attachmentsOf(m.Attached),
	})
	return nil
}

func unsubscribeOf(m *message) listUnsubscribe {
	u := listUnsubscribe{
		Header: clean(m.Header.Get("List-Unsubscribe")), HeaderPost: clean(m.Header.Get("List-Unsubscribe-Post")),
		Links: []string{},
	}
	for field := range strings.SplitSeq(u.Header, ",") {
		field = strings.TrimSpace(field)
		if strings.HasPrefix(field, "<") && strings.HasSuffix(field, ">") && isSafeLink(field[1:len(field)-1]) {
			u.Links = append(u.Links, field[1:len(field)-1])
		}
	}
	return u
}

func attachmentsOf(parts []*enmime.Part) []attachment {
	list := make([]attachment, 0, len(parts))
	for _, p := range parts {
		md, sha, sha2 := md5.Sum(p.Content), sha1.Sum(p.Content), sha256.Sum256(p.Content) //nolint:gosec // see the imports
		list = append(list, attachment{
			PartID: p.PartID, FileName: fileName(p), ContentType: clean(p.ContentType), ContentID: clean(p.ContentID),
			Size: len(p.Content),
			Checksums: checksums{
				MD5: hex.EncodeToString(md[:]), SHA1: hex.EncodeToString(sha[:]), SHA256: hex.EncodeToString(sha2[:]),
			},
		})
	}
	return list
}

func (s *Server) getHeaders(w http.ResponseWriter, _ *http.Request, e *entry) error {
	m, err := s.store.load(e)
	if err != nil {
		return err
	}
	s.writeJSON(w, m.Header)
	return nil
}

// getRaw sends the source as text, or as a file to save with ?dl=1.
func (s *Server) getRaw(w http.ResponseWriter, r *http.Request, e *entry) error {
	f, err := s.store.open(e)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if r.FormValue("dl") == "1" {
		w.Header().Set("Content-Disposition", `attachment; filename="`+e.id+mailSuffix+`"`)
	}
	_, _ = io.Copy(w, f) // the client went away
	return nil
}

// getPart sends an attachment or an inline part. What a browser could run is sent to be saved, never to be shown.
func (s *Server) getPart(w http.ResponseWriter, r *http.Request, e *entry) error {
	m, err := s.store.load(e)
	if err != nil {
		return err
	}
	p := m.part(r.PathValue("part"))
	if p == nil {
		return errNotFound
	}
	kind, disposition := "application/octet-stream", "attachment"
	if mediaType := strings.ToLower(p.ContentType); isShown(mediaType) {
		kind, disposition = mediaType, "inline"
	}
	w.Header().Set("Content-Type", kind)
	if d := mime.FormatMediaType(disposition, map[string]string{"filename": fileName(p)}); d != "" {
		disposition = d
	}
	w.Header().Set("Content-Disposition", disposition)
	_, _ = w.Write(p.Content) // the client went away
	return nil
}

// isShown reports the types that a browser displays and does not interpret.
func isShown(mediaType string) bool {
	switch mediaType {
	case "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "image/x-icon",
		"image/vnd.microsoft.icon":
		return true
	}
	return false
}

// getView serves /view/ID.html and /view/ID.txt: the two bodies of a mail. /view/ID leads to the page.
func (s *Server) getView(w http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	if id, ok := strings.CutSuffix(file, ".html"); ok {
		r.SetPathValue("id", id)
		s.withEntry(s.viewHTML)(w, r)
		return
	}
	if id, ok := strings.CutSuffix(file, ".txt"); ok {
		r.SetPathValue("id", id)
		s.withEntry(s.viewText)(w, r)
		return
	}
	e, err := s.resolve(file, r)
	if err != nil {
		s.writeError(w, err)
		return
	}
	http.Redirect(w, r, "/#/m/"+e.id, http.StatusFound)
}

// viewHTML serves a mail's HTML for the page's frame. Pictures from elsewhere are blocked, because loading one tells
// its sender that the mail was opened; ?remote=1 lets them through.
func (s *Server) viewHTML(w http.ResponseWriter, r *http.Request, e *entry) error {
	m, err := s.store.load(e)
	if err != nil {
		return err
	}
	if m.HTML == "" {
		return errNotFound
	}
	base := "/api/v1/message/" + e.id + "/part/"
	// The frame's origin is opaque, so that 'self' would not mean this server. r.Host has passed the guard.
	sources := "data: http://" + r.Host + base
	if r.FormValue("remote") == "1" {
		sources += " http: https:"
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; "+
		"frame-ancestors 'self'; style-src 'unsafe-inline'; font-src data:; img-src "+sources+"; "+
		"sandbox allow-popups allow-popups-to-escape-sandbox")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, rewriteHTML(m.HTML, func(contentID string) string {
		for _, p := range slices.Concat(m.Inline, m.Attached) {
			if strings.EqualFold(p.ContentID, contentID) {
				return base + url.PathEscape(p.PartID)
			}
		}
		return ""
	}))
	return nil
}

func (s *Server) viewText(w http.ResponseWriter, _ *http.Request, e *entry) error {
	m, err := s.store.load(e)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, m.Text)
	return nil
}
