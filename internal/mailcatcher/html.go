package mailcatcher

import (
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/html"
)

// cidURL finds references to inline parts in style sheets: url(cid:logo@example).
var cidURL = regexp.MustCompile(`(?i)\bcid:([^"'()\s<>]+)`)

// rewriteHTML prepares a mail's HTML for a frame: references to inline parts become URLs, links open in a new tab, and
// what could run or load something else is left out. It makes the mail look right; what keeps it from doing harm are
// the frame's sandbox and the content security policy, which hold for whatever passes through here.
func rewriteHTML(doc string, partURL func(contentID string) string) string {
	var b strings.Builder
	b.Grow(len(doc) + len(doc)/8)
	z := html.NewTokenizer(strings.NewReader(doc))
	var inside string // the raw text element that the next text token belongs to
	for {
		kind := z.Next()
		raw := string(z.Raw())
		switch kind {
		case html.ErrorToken:
			b.WriteString(raw)
			return b.String()
		case html.TextToken:
			switch inside {
			case "script", "iframe", "noembed", "noframes":
			case "style":
				b.WriteString(replaceCID(raw, partURL))
			default:
				b.WriteString(raw)
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			tok := z.Token()
			inside = tok.Data
			if !isDropped(tok.Data) {
				tok.Attr = rewriteAttrs(tok, partURL)
				b.WriteString(tok.String())
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			inside = ""
			if !isDropped(string(name)) {
				b.WriteString(raw)
			}
		default:
			b.WriteString(raw)
		}
	}
}

func isDropped(tag string) bool {
	switch tag {
	case "script", "iframe", "frame", "frameset", "noembed", "noframes", "object", "embed", "applet", "base", "link",
		"meta", "portal":
		return true
	}
	return false
}

func rewriteAttrs(tok html.Token, partURL func(string) string) []html.Attribute {
	isLink := tok.Data == "a" || tok.Data == "area" || tok.Data == "form"
	var kept []html.Attribute
	opensTab := false
	for _, a := range tok.Attr {
		key := strings.ToLower(a.Key)
		switch {
		case strings.HasPrefix(key, "on"), key == "srcdoc", key == "ping", key == "formaction":
			continue
		case isLink && (key == "target" || key == "rel"):
			continue
		case key == "href" || key == "action" || strings.HasSuffix(key, ":href"):
			if !isSafeLink(a.Val) {
				continue
			}
			opensTab = opensTab || isLink && !strings.HasPrefix(a.Val, "#")
		default:
			a.Val = replaceCID(a.Val, partURL)
		}
		kept = append(kept, a)
	}
	if opensTab {
		kept = append(kept, html.Attribute{Key: "target", Val: "_blank"},
			html.Attribute{Key: "rel", Val: "noopener noreferrer"})
	}
	return kept
}

// isSafeLink admits what a link in a mail is for: the web, mail, the telephone, and a place in the mail itself.
func isSafeLink(link string) bool {
	link = strings.TrimSpace(link)
	if strings.HasPrefix(link, "#") {
		return true
	}
	u, err := url.Parse(link)
	if err != nil {
		return false
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https", "mailto", "tel", "sms":
		return true
	}
	return false
}

func replaceCID(text string, partURL func(string) string) string {
	if len(text) < 5 || !strings.Contains(strings.ToLower(text), "cid:") {
		return text
	}
	return cidURL.ReplaceAllStringFunc(text, func(ref string) string {
		id := ref[len("cid:"):]
		if decoded, err := url.PathUnescape(id); err == nil {
			id = decoded
		}
		if u := partURL(id); u != "" {
			return u
		}
		return ref
	})
}
