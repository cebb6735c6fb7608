package quickhttp

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
)

// head is what the first lines of a request say. It is never changed but for the length, since the next request on a
// connection mostly has the same one.
type head struct {
	before, after []byte // the text in front of and behind the value of Content-Length
	host          string
	url           *url.URL
	header        http.Header
}

// same tells whether text differs from the head that was parsed in the length of the body at most.
func (h *head) same(text []byte) (length int64, ok bool) {
	if h.header == nil || !bytes.HasPrefix(text, h.before) {
		return 0, false
	}
	rest := text[len(h.before):]
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	if !bytes.Equal(rest[digits:], h.after) {
		return 0, false
	}
	return contentLength(rest[:digits])
}

// contentLength reads a length of at most 18 digits.
func contentLength(digits []byte) (int64, bool) {
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// parseHead reads the head of a request, up to and with the empty line. ok is false for all that is to be left to
// net/http, be it right or wrong.
func parseHead(text []byte, paths []string) (h head, length int64, ok bool) {
	text = bytes.Clone(text)
	line, rest, _ := bytes.Cut(text, []byte("\r\n"))
	target, found := bytes.CutPrefix(line, []byte("POST "))
	if !found {
		return h, 0, false
	}
	target, found = bytes.CutSuffix(target, []byte(" HTTP/1.1"))
	if !found || !slices.Contains(paths, string(target)) {
		return h, 0, false
	}
	h.url = &url.URL{Path: string(target)}
	h.header = make(http.Header, 12)
	sized := false
	for {
		if line, rest, found = bytes.Cut(rest, []byte("\r\n")); !found || len(line) == 0 {
			break
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found || !token(name) || !printable(value) {
			return h, 0, false
		}
		value = bytes.Trim(value, " \t")
		key := textproto.CanonicalMIMEHeaderKey(string(name))
		switch key {
		case "Host":
			if h.host != "" || !plainHost(value) {
				return h, 0, false
			}
			h.host = string(value)
			continue
		case "Content-Length":
			if length, ok = contentLength(value); !ok || sized {
				return h, 0, false
			}
			sized = true
			from := len(text) - len(rest) - len("\r\n") - len(line) + len(name) + 1 + bytes.Index(line[len(name)+1:], value)
			h.before, h.after = text[:from], text[from+len(value):]
		case "Connection":
			if !bytes.EqualFold(value, []byte("keep-alive")) || h.header[key] != nil {
				return h, 0, false
			}
		case "Expect", "Pragma", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
			return h, 0, false
		}
		h.header[key] = append(h.header[key], string(value))
	}
	return h, length, sized && h.host != "" && len(rest) == 0
}

// setLength writes the length into a header that is used again.
func (h *head) setLength(length int64) {
	text := h.header["Content-Length"][0]
	if known, err := strconv.ParseInt(text, 10, 64); err != nil || known != length {
		h.header["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
}

// token tells whether name can be that of a header (RFC 9110, 5.6.2).
func token(name []byte) bool {
	for _, c := range name {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false // there are others, but nobody uses them
		}
	}
	return len(name) > 0
}

// printable tells whether value is visible ASCII, blanks and tabs.
func printable(value []byte) bool {
	for _, c := range value {
		if (c < ' ' || c > '~') && c != '\t' {
			return false
		}
	}
	return true
}

// plainHost tells whether a host is a name or an address, with a port or without.
func plainHost(host []byte) bool {
	for _, c := range host {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == ':',
			c == '[', c == ']':
		default:
			return false
		}
	}
	return len(host) > 0
}
