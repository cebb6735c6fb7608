package mailcatcher

import (
	"bytes"
	"errors"
	"fmt"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jhillyerd/enmime/v2"
	"golang.org/x/net/html"
)

const (
	// maxNesting bounds the depth of multiparts that are taken apart: each level costs the parser a buffer.
	maxNesting = 100
	// maxSnippetRunes is how much of the text a list shows.
	maxSnippetRunes = 250
	// maxSearchBytes is how much of a mail's text is kept in memory to search in.
	maxSearchBytes = 32 << 10
)

// message is one mail, taken apart.
type message struct {
	Header    textproto.MIMEHeader // as sent: not decoded
	MessageID string
	From      *mail.Address
	To        []*mail.Address
	Cc        []*mail.Address
	Bcc       []*mail.Address
	ReplyTo   []*mail.Address
	Return    string
	Username  string
	Subject   string
	Date      time.Time // zero when the mail has none that can be read
	Text      string
	HTML      string
	Size      int64
	Inline    []*enmime.Part // images and such that the HTML refers to
	Attached  []*enmime.Part
	Problem   string // why the mail could not be taken apart, when it could not
}

// parseMessage takes a mail apart. What cannot be parsed is still a mail: it has its header, as far as that can be
// read, its source as text, and Problem.
func parseMessage(raw []byte) *message {
	env, err := readEnvelope(raw)
	if err != nil {
		return unparsed(raw, err)
	}
	m := newMessage(env.Root.Header, raw)
	m.Text, m.HTML = strings.ToValidUTF8(env.Text, "\uFFFD"), strings.ToValidUTF8(env.HTML, "\uFFFD")
	if m.Text == "" && m.HTML == "" {
		m.Text = untypedText(env.Root)
	}
	for _, p := range slices.Concat(env.Inlines, env.OtherParts) {
		if p.FileName != "" || p.ContentID != "" {
			m.Inline = append(m.Inline, p)
		}
	}
	m.Attached = env.Attachments
	return m
}

func readEnvelope(raw []byte) (env *enmime.Envelope, err error) {
	defer func() {
		if p := recover(); p != nil {
			env, err = nil, fmt.Errorf("the parser gave up: %v", p)
		}
	}()
	if countFold(raw, []byte("multipart/"), maxNesting+1) > maxNesting {
		return nil, fmt.Errorf("more than %d multiparts", maxNesting)
	}
	env, err = enmime.NewParser(enmime.DisableCharacterDetection(true)).ReadEnvelope(bytes.NewReader(raw))
	if err == nil && env.Root == nil {
		err = errors.New("no content")
	}
	return env, err
}

// countFold counts word in text without regard to ASCII case, up to limit.
func countFold(text, word []byte, limit int) int {
	n := 0
	for n < limit {
		i := bytes.IndexByte(text, '/')
		if i < 0 {
			break
		}
		if start := i + 1 - len(word); start >= 0 && bytes.EqualFold(text[start:i+1], word) {
			n++
		}
		// The next match lies behind this slash; its beginning cannot reach before it, as word has one slash, its last.
		text = text[i+1:]
	}
	return n
}

// untypedText is the text of the parts that name no type: they are plain text (RFC 2045, section 5.2), but the parser
// passes over them. curl sends such mails.
func untypedText(root *enmime.Part) string {
	var b strings.Builder
	for _, p := range root.DepthMatchAll(func(p *enmime.Part) bool { return p.FirstChild == nil && p.ContentType == "" }) {
		if p.Disposition == "" {
			b.Write(p.Content)
		}
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

func unparsed(raw []byte, err error) *message {
	header := textproto.MIMEHeader{}
	if msg, err := mail.ReadMessage(bytes.NewReader(raw)); err == nil {
		header = textproto.MIMEHeader(msg.Header)
	}
	m := newMessage(header, raw)
	m.Problem = cut(clean(err.Error()), maxSnippetRunes)
	m.Text = strings.ToValidUTF8(string(raw[:min(len(raw), 1<<20)]), "\uFFFD")
	return m
}

func newMessage(header textproto.MIMEHeader, raw []byte) *message {
	m := &message{
		Header:    header,
		MessageID: strings.Trim(clean(header.Get("Message-Id")), "<> "),
		From:      &mail.Address{},
		To:        addresses(header["To"]),
		Cc:        addresses(header["Cc"]),
		Bcc:       addresses(header["Bcc"]),
		ReplyTo:   addresses(header["Reply-To"]),
		Return:    strings.Trim(clean(header.Get(headerReturnPath)), "<> "),
		Username:  clean(header.Get(headerUsername)),
		Subject:   clean(header.Get("Subject")),
		Size:      int64(len(raw)),
	}
	if from := addresses(header["From"]); len(from) > 0 {
		m.From = from[0]
	}
	if m.Return == "" {
		m.Return = m.From.Address
	}
	if date, err := mail.ParseDate(header.Get("Date")); err == nil {
		m.Date = date
	}
	return m
}

// clean decodes a header value and makes it one line of valid UTF-8.
func clean(value string) string {
	value = strings.ToValidUTF8(enmime.DecodeRFC2047(value), "\uFFFD")
	return strings.Join(strings.Fields(value), " ")
}

// addresses reads address fields. A value that is not a list of addresses becomes one name without an address, so that
// a person sees what was sent.
func addresses(values []string) []*mail.Address {
	list := []*mail.Address{}
	for _, v := range values {
		parsed, err := enmime.ParseAddressList(v)
		if err != nil || len(parsed) == 0 {
			if name := clean(v); name != "" {
				list = append(list, &mail.Address{Name: name})
			}
			continue
		}
		for _, a := range parsed {
			list = append(list, &mail.Address{Name: clean(a.Name), Address: strings.ToValidUTF8(a.Address, "\uFFFD")})
		}
	}
	return list
}

// part returns the attachment or inline part with the given id, or nil.
func (m *message) part(id string) *enmime.Part {
	for _, list := range [][]*enmime.Part{m.Inline, m.Attached} {
		for _, p := range list {
			if p.PartID == id {
				return p
			}
		}
	}
	return nil
}

// fileName is the name to show and to save a part under. It is never empty and has no path.
func fileName(p *enmime.Part) string {
	name := p.FileName
	if name == "" {
		name = p.ContentID
	}
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	if name = clean(name); name == "" || name == "." || name == ".." {
		name = "part-" + p.PartID
	}
	return name
}

// digest is what stays in memory of a mail: what lists show, and what search looks at.
type digest struct {
	messageID   string
	from        *mail.Address
	to, cc, bcc []*mail.Address
	replyTo     []*mail.Address
	username    string
	subject     string
	snippet     string
	attachments int
	inline      int
	searchText  string // lower case
}

func (m *message) digest() *digest {
	text := strings.Join(strings.Fields(m.Text), " ")
	if text == "" && m.HTML != "" {
		text = htmlText(m.HTML)
	}
	d := &digest{
		messageID: m.MessageID, from: m.From, to: m.To, cc: m.Cc, bcc: m.Bcc, replyTo: m.ReplyTo,
		username: m.Username, subject: m.Subject,
		attachments: len(m.Attached), inline: len(m.Inline),
		snippet: cut(text, maxSnippetRunes),
	}
	if m.Problem != "" {
		d.snippet = "This mail cannot be taken apart: " + m.Problem
	}
	words := []string{m.Subject, addressText(append([]*mail.Address{m.From}, m.To...)), addressText(m.Cc)}
	for _, p := range slices.Concat(m.Attached, m.Inline) {
		words = append(words, fileName(p))
	}
	all := strings.ToLower(strings.Join(append(words, text), " "))
	if len(all) > maxSearchBytes {
		all = strings.ToValidUTF8(all[:maxSearchBytes], "")
	}
	d.searchText = strings.Clone(all)
	return d
}

func addressText(list []*mail.Address) string {
	words := make([]string, 0, 2*len(list))
	for _, a := range list {
		words = append(words, a.Name, a.Address)
	}
	return strings.Join(words, " ")
}

// cut shortens text to n runes.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return strings.Clone(text)
	}
	for i := range text {
		if n == 0 {
			return strings.Clone(text[:i])
		}
		n--
	}
	return text
}

// htmlText is the text of an HTML document as far as search and snippets need it.
func htmlText(doc string) string {
	var words []string
	skip := 0
	z := html.NewTokenizer(strings.NewReader(doc))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.Join(words, " ")
		case html.StartTagToken:
			if name, _ := z.TagName(); isInvisible(string(name)) {
				skip++
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); skip > 0 && isInvisible(string(name)) {
				skip--
			}
		case html.TextToken:
			if skip == 0 {
				words = append(words, strings.Fields(string(z.Text()))...)
			}
		}
	}
}

func isInvisible(tag string) bool { return tag == "style" || tag == "script" || tag == "title" }
