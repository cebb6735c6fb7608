package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"
)

// answer is what came back for a step.
type answer struct {
	status int
	body   []byte
}

// errorObject is an error of either envelope, as far as it is compared.
type errorObject struct {
	Message    string
	Extensions map[string]any
	Internal   map[string]any
}

// compare tells how an answer differs from the expected body; "" means not at all. Messages, codes and paths are
// compared strictly, data with the order of its keys. Of the details under "internal" the part "request" is left out:
// the files have it in a form that Hasura gave up.
func compare(want, got []byte, anyPath bool) string {
	var w, g map[string]json.RawMessage
	if json.Unmarshal(want, &w) != nil || json.Unmarshal(got, &g) != nil {
		return cmp.Diff(decoded(want), decoded(got)) // a list: the answer of a bulk
	}
	if _, failed := w["errors"]; failed {
		return compareErrors(w["errors"], g)
	}
	if _, failed := w["error"]; failed {
		return compareFlat(want, got, anyPath)
	}
	if data, ok := w["data"]; ok {
		if len(g) != 1 {
			return fmt.Sprintf("want data alone, got %s", got)
		}
		return cmp.Diff(compacted(data), compacted(g["data"]))
	}
	return cmp.Diff(decoded(want), decoded(got))
}

// compareErrors compares GraphQL errors. There is exactly one, and no data beside it.
func compareErrors(want json.RawMessage, got map[string]json.RawMessage) string {
	if _, ok := got["data"]; ok {
		return fmt.Sprintf("data beside errors: %s", got["data"])
	}
	w, wErr := graphQLErrors(want)
	g, gErr := graphQLErrors(got["errors"])
	if wErr != nil || gErr != nil {
		return fmt.Sprintf("want errors %s, got %s (%v, %v)", want, got["errors"], wErr, gErr)
	}
	for i := range min(len(w), len(g)) {
		for key := range g[i].Internal {
			if _, expected := w[i].Internal[key]; !expected {
				delete(g[i].Internal, key) // most files leave the details out
			}
		}
	}
	return cmp.Diff(w, g)
}

func graphQLErrors(raw json.RawMessage) ([]errorObject, error) {
	var list []struct {
		Message    string         `json:"message"`
		Extensions map[string]any `json:"extensions"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	var out []errorObject
	for _, e := range list {
		o := errorObject{Message: e.Message, Extensions: e.Extensions, Internal: map[string]any{}}
		if internal, ok := e.Extensions["internal"].(map[string]any); ok {
			delete(internal, "request")
			dropFraming(internal)
			o.Internal = internal
		}
		delete(e.Extensions, "internal")
		out = append(out, o)
	}
	return out, nil
}

// dropFraming removes the headers that frame a body. The cases' handlers send none of them, but end the body with the
// connection; the gateway's HTTP client notes that in the same headers.
func dropFraming(internal map[string]any) {
	response, _ := internal["response"].(map[string]any)
	headers, _ := response["headers"].([]any)
	if headers == nil {
		return
	}
	response["headers"] = slices.DeleteFunc(headers, func(h any) bool {
		header, _ := h.(map[string]any)
		return header["name"] == "Content-Length" || header["name"] == "Connection"
	})
}

// compareFlat compares an error outside GraphQL, with all its details.
func compareFlat(want, got []byte, anyPath bool) string {
	w, _ := decoded(want).(map[string]any)
	g, _ := decoded(got).(map[string]any)
	if anyPath {
		delete(w, "path")
		delete(g, "path")
	}
	return cmp.Diff(w, g)
}

func decoded(raw []byte) any {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return fmt.Sprintf("not JSON: %s", raw)
	}
	return v
}

// compacted keeps the order of keys, unlike decoded.
func compacted(raw []byte) string {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return fmt.Sprintf("not JSON: %s", raw)
	}
	return b.String()
}
