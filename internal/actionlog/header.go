package actionlog

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Forwardable returns the headers of a client that a handler could get: the first value of each, without those that
// begin with X-Hasura- (the admin secret among them) and those that belong to one connection or one body. Names are
// canonical. The log stores nothing else.
func Forwardable(client http.Header) http.Header {
	kept := make(http.Header, len(client))
	for name, values := range client {
		if canonical := http.CanonicalHeaderKey(name); len(values) > 0 && !withheld(canonical) {
			kept[canonical] = values[:1:1]
		}
	}
	return kept
}

func withheld(canonical string) bool {
	const own = "x-hasura-"
	// A name with bytes that no header name has is not canonicalised, hence the comparison without case.
	if len(canonical) >= len(own) && strings.EqualFold(canonical[:len(own)], own) {
		return true
	}
	switch canonical {
	case "Connection", "Content-Encoding", "Content-Length", "Content-Md5", "Host", "Keep-Alive", "Proxy-Authorization",
		"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// EncodeHeader makes the JSON object that is stored for the headers of a client, in Hasura's form: each name with one
// value. The host is one of them.
func EncodeHeader(header http.Header, host string) ([]byte, error) {
	object := map[string]string{}
	for name, values := range Forwardable(header) {
		object[name] = values[0]
	}
	if host != "" {
		object["Host"] = host
	}
	return json.Marshal(object)
}

// DecodeHeader reads what EncodeHeader or Hasura stored. What Hasura stored beyond the forwardable is dropped; what
// cannot be read counts as no headers.
func DecodeHeader(stored []byte) (header http.Header, host string) {
	given := http.Header{}
	for name, value := range decodeStrings(stored) {
		if strings.EqualFold(name, "Host") {
			host = value
		}
		given[name] = []string{value}
	}
	return Forwardable(given), host
}

// EncodeSession makes the JSON object that is stored for session variables.
func EncodeSession(vars map[string]string) ([]byte, error) {
	if vars == nil {
		vars = map[string]string{}
	}
	return json.Marshal(vars)
}

// DecodeSession reads what EncodeSession or Hasura stored.
func DecodeSession(stored []byte) map[string]string { return decodeStrings(stored) }

// decodeStrings reads an object of strings; values of other kinds keep their JSON text.
func decodeStrings(text []byte) map[string]string {
	var raw map[string]json.RawMessage
	if json.Unmarshal(text, &raw) != nil {
		return map[string]string{}
	}
	object := make(map[string]string, len(raw))
	for name, value := range raw {
		var s string
		if json.Unmarshal(value, &s) != nil {
			s = string(value)
		}
		object[name] = s
	}
	return object
}
