package calllog

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// secretWords are parts of names of what must not be kept, in lower case and without separators.
var secretWords = []string{ //nolint:gochecknoglobals // a constant list
	"password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey", "authorization", "cookie",
	"credential", "cardnumber", "securitycode", "signature",
}

// secretNames are such names as a whole.
var secretNames = []string{"pwd", "pin", "otp", "cvc", "cvv", "iban", "ssn", "pan", "auth", "jwt"} //nolint:gochecknoglobals // a constant list

// Sensitive reports whether what has this name is taken for a secret: a key of an input, a header, a session variable.
func Sensitive(name string) bool {
	plain := strings.Map(func(r rune) rune {
		switch r {
		case '-', '_', '.', ' ':
			return -1
		}
		return r
	}, strings.ToLower(name))
	for _, word := range secretWords {
		if strings.Contains(plain, word) {
			return true
		}
	}
	return slices.Contains(secretNames, plain)
}

// redactor copies JSON and leaves secrets out.
type redactor struct {
	known  []string // values that are secret wherever they stand
	out    bytes.Buffer
	hidden []string
}

// JSON returns doc with secrets replaced, and their places. Keys keep their order. An error tells that doc is no JSON.
func (r *redactor) json(doc []byte) (json.RawMessage, []string, error) {
	r.out.Reset()
	r.hidden = nil
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	if err := r.value(dec, nil); err != nil {
		return nil, nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("more than one value")
	}
	return bytes.Clone(r.out.Bytes()), r.hidden, nil
}

func (r *redactor) value(dec *json.Decoder, path []string) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	delim, nested := token.(json.Delim)
	if !nested {
		if text, ok := token.(string); ok {
			plain := r.text(text)
			if plain != text {
				r.hide(path)
			}
			token = plain
		}
		return r.write(token)
	}
	r.out.WriteRune(rune(delim))
	for i := 0; dec.More(); i++ {
		if i > 0 {
			r.out.WriteByte(',')
		}
		if err := r.member(dec, path, delim == '{', i); err != nil {
			return err
		}
	}
	end, err := dec.Token()
	if err != nil {
		return err
	}
	r.out.WriteRune(rune(end.(json.Delim))) //nolint:forcetypeassert // nothing else can follow
	return nil
}

// member copies an element of an array, or a key with its value.
func (r *redactor) member(dec *json.Decoder, path []string, object bool, i int) error {
	name := strconv.Itoa(i)
	if object {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ = key.(string)
		if err := r.write(name); err != nil {
			return err
		}
		r.out.WriteByte(':')
	}
	path = append(slices.Clip(path), name)
	if !object || !Sensitive(name) {
		return r.value(dec, path)
	}
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return err
	}
	if text := string(raw); text == "null" || text == `""` || text == "true" || text == "false" {
		r.out.Write(raw) // says nothing, and a test for it may be what is looked for
		return nil
	}
	r.hide(path)
	return r.write(Redacted)
}

func (r *redactor) hide(path []string) { r.hidden = append(r.hidden, strings.Join(path, ".")) }

func (r *redactor) write(v any) error {
	enc := json.NewEncoder(&r.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	r.out.Truncate(r.out.Len() - 1) // the encoder ends with a new line
	return nil
}

// text replaces the values that are known to be secret.
func (r *redactor) text(s string) string {
	for _, secret := range r.known {
		s = strings.ReplaceAll(s, secret, Redacted)
	}
	return s
}

// pairs returns a copy of named values without secrets.
func (r *redactor) pairs(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for name, value := range m {
		if Sensitive(name) {
			value = Redacted
		}
		out[name] = r.text(value)
	}
	return out
}
