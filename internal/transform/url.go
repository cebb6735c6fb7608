package transform

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/nself-org/nself/internal/kriti"
)

// query is the transform of the query string.
type query struct {
	given  bool
	whole  *kriti.Template // the string form; nil: params
	params []param
}

func (c *compiler) query(raw json.RawMessage) query {
	if absent(raw) {
		return query{}
	}
	if raw[0] == '"' {
		return query{given: true, whole: c.unescaped(c.text(".query_params", raw))}
	}
	q := query{given: true}
	for _, e := range c.object(".query_params", "HashMap", raw) {
		p := param{name: c.unescaped(e.name)}
		if !absent(e.value) {
			p.value = c.unescaped(c.text(".query_params."+e.name, e.value))
		}
		q.params = append(q.params, p)
	}
	return q
}

// apply renders the new query string, without question mark.
func (q *query) apply(scope *kriti.Scope) (string, Errors) {
	if q.whole == nil {
		return encodeParams(q.params, scope)
	}
	text, err := renderText(q.whole, scope)
	if err != nil {
		return "", Errors{err}
	}
	if text == "null" {
		return "", nil
	}
	var b strings.Builder
	for name, value := range splitQuery(text) { // decoded and encoded again: the template's author need not escape
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(kriti.EscapeURI(name))
		if value != nil {
			b.WriteByte('=')
			b.WriteString(kriti.EscapeURI(*value))
		}
	}
	return b.String(), nil
}

// splitQuery yields the decoded parameters of a query string; the value is nil for a name without an equals sign.
func splitQuery(text string) func(func(string, *string) bool) {
	return func(yield func(string, *string) bool) {
		for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '&' || r == ';' }) {
			name, value, ok := strings.Cut(part, "=")
			var decoded *string
			if ok {
				text := unescapeQuery(value)
				decoded = &text
			}
			if !yield(unescapeQuery(name), decoded) {
				return
			}
		}
	}
}

// unescapeQuery decodes percent signs and pluses; text that is not well-formed stays as it is.
func unescapeQuery(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

// queryParams is the value of $query_params: a list of [name, value] of a URL.
func queryParams(rawURL string) kriti.Value {
	var pairs []kriti.Value
	if _, text, ok := strings.Cut(rawURL, "?"); ok {
		text, _, _ = strings.Cut(text, "#")
		for name, value := range splitQuery(text) {
			second := kriti.NullValue()
			if value != nil {
				second = kriti.StringValue(*value)
			}
			pairs = append(pairs, kriti.ArrayValue([]kriti.Value{kriti.StringValue(name), second}))
		}
	}
	return kriti.ArrayValue(pairs)
}

// withQuery replaces the query string of a URL.
func withQuery(rawURL, query string) string {
	fragment := ""
	if i := strings.IndexByte(rawURL, '#'); i >= 0 {
		rawURL, fragment = rawURL[:i], rawURL[i:]
	}
	if i := strings.IndexByte(rawURL, '?'); i >= 0 {
		rawURL = rawURL[:i]
	}
	if query != "" {
		rawURL += "?" + query
	}
	return rawURL + fragment
}

// renderURL evaluates the template of a URL and checks that the result can be called.
func renderURL(t *kriti.Template, scope *kriti.Scope) (string, error) {
	v, err := t.Eval(scope)
	if err != nil {
		return "", err
	}
	if v.Kind() != kriti.String {
		return "", failure("URL Transforms must produce a JSON String: " + string(v.AppendJSON(nil)))
	}
	text, _ := v.Text()
	if !callable(text) {
		return "", failure("Invalid URL: " + text)
	}
	return text, nil
}

// callable tells whether text is an absolute http or https URL of the characters that RFC 3986 allows.
func callable(text string) bool {
	for i := range len(text) {
		c := text[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return false
		}
	}
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
