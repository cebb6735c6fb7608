package mailcatcher

import (
	"net/mail"
	"strings"
)

// filter is a search: each term must hold.
type filter []term

// term is one condition.
type term struct {
	exclude bool
	match   func(d *digest, read bool) bool
}

func (f filter) matches(d *digest, read bool) bool {
	for _, t := range f {
		if t.match(d, read) == t.exclude {
			return false
		}
	}
	return true
}

// parseQuery reads Mailpit's search language, as far as it concerns what a catcher keeps: words and "phrases", to:,
// from:, cc:, bcc:, reply-to:, addressed:, subject:, message-id:, is:read, is:unread, has:attachment, has:inline; each
// negated by a leading - or !. A prefix that is not known is searched as text.
func parseQuery(query string) filter {
	var f filter
	for _, word := range splitQuery(strings.ToLower(query)) {
		t := term{}
		if len(word) > 1 && (word[0] == '-' || word[0] == '!') {
			t.exclude, word = true, word[1:]
		}
		if t.match = matcher(word); t.match != nil {
			f = append(f, t)
		}
	}
	return f
}

func matcher(word string) func(d *digest, read bool) bool {
	switch word {
	case "is:read":
		return func(_ *digest, read bool) bool { return read }
	case "is:unread":
		return func(_ *digest, read bool) bool { return !read }
	case "has:attachment", "has:attachments":
		return func(d *digest, _ bool) bool { return d.attachments > 0 }
	case "has:inline", "has:inlines":
		return func(d *digest, _ bool) bool { return d.inline > 0 }
	}
	if prefix, want, ok := strings.Cut(word, ":"); ok {
		if field := fieldOf(prefix); field != nil {
			want = strings.TrimSpace(want)
			if want == "" {
				return nil
			}
			return func(d *digest, _ bool) bool { return strings.Contains(strings.ToLower(field(d)), want) }
		}
	}
	if word = strings.Join(strings.Fields(word), " "); word == "" {
		return nil
	}
	return func(d *digest, _ bool) bool { return strings.Contains(d.searchText, word) }
}

func fieldOf(prefix string) func(*digest) string {
	switch prefix {
	case "to":
		return func(d *digest) string { return addressText(d.to) }
	case "from":
		return func(d *digest) string { return addressText([]*mail.Address{d.from}) }
	case "cc":
		return func(d *digest) string { return addressText(d.cc) }
	case "bcc":
		return func(d *digest) string { return addressText(d.bcc) }
	case "reply-to":
		return func(d *digest) string { return addressText(d.replyTo) }
	case "addressed":
		return func(d *digest) string {
			all := []string{addressText([]*mail.Address{d.from})}
			for _, list := range [][]*mail.Address{d.to, d.cc, d.bcc, d.replyTo} {
				all = append(all, addressText(list))
			}
			return strings.Join(all, " ")
		}
	case "subject":
		return func(d *digest) string { return d.subject }
	case "message-id":
		return func(d *digest) string { return d.messageID }
	}
	return nil
}

// splitQuery splits at white space that is not in double quotes, and removes the quotes.
func splitQuery(query string) []string {
	var words []string
	var b strings.Builder
	quoted := false
	flush := func() {
		if b.Len() > 0 {
			words = append(words, b.String())
			b.Reset()
		}
	}
	for _, r := range query {
		switch {
		case r == '"':
			quoted = !quoted
		case !quoted && (r == ' ' || r == '\t' || r == '\n'):
			flush()
		default:
			b.WriteRune(r)
		}
	}
	flush()
	return words
}
