package files

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// The types that are known.
const (
	PNG  = "image/png"
	JPEG = "image/jpeg"
	GIF  = "image/gif"
	CSV  = "text/csv"
	PDF  = "application/pdf"
)

// Detect says what data is, whatever it is called, or returns "". Any text counts as CSV.
func Detect(data []byte) string {
	for _, known := range []struct{ start, kind string }{
		{"\x89PNG\r\n\x1a\n", PNG}, {"\xff\xd8\xff", JPEG}, {"GIF87a", GIF}, {"GIF89a", GIF}, {"%PDF-", PDF},
	} {
		if bytes.HasPrefix(data, []byte(known.start)) {
			return known.kind
		}
	}
	if utf8.Valid(data) && bytes.IndexFunc(data, isBinary) < 0 {
		return CSV
	}
	return ""
}

// isBinary tells control characters that no text file has.
func isBinary(r rune) bool { return r < ' ' && r != '\t' && r != '\r' && r != '\n' || r == 0x7f }

// IsImage says whether a type is that of an image.
func IsImage(kind string) bool { return kind == PNG || kind == JPEG || kind == GIF }

// NormalType writes a media type as [Detect] does: in lower case, without parameters.
func NormalType(kind string) string {
	kind, _, _ = strings.Cut(kind, ";")
	if kind = strings.ToLower(strings.TrimSpace(kind)); kind == "image/jpg" {
		return JPEG
	}
	return kind
}
