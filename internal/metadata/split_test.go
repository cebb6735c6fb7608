package metadata

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzSplit holds that objects and arrays are taken apart as encoding/json does it.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":[{"c":"}"}, 2] , "a" : null}`, `[ ]`, `{}`, ` [1,"\\"",[[]],{"a":{}},true , -1e5 ] `, `{"\u0061":"\ud800","\\":0}`,
		`1`, `"x"`, `null`, `[1,2`, `{"a"}`, "{\"\xff\":1}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		gotFields, isObject := splitObject(text) // whatever it is: no panic
		gotElements, isArray := splitArray(text)
		if !json.Valid(text) {
			return
		}
		switch bytes.TrimSpace(text)[0] {
		case '{':
			var want map[string]json.RawMessage
			if err := json.Unmarshal(text, &want); err != nil || !isObject {
				t.Fatalf("%v, an object: %t", err, isObject)
			}
			if diff := cmp.Diff(want, gotFields); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		case '[':
			want := []json.RawMessage{}
			if err := json.Unmarshal(text, &want); err != nil || !isArray {
				t.Fatalf("%v, an array: %t", err, isArray)
			}
			if diff := cmp.Diff(want, append([]json.RawMessage{}, gotElements...)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		default:
			if isObject || isArray {
				t.Error("neither an object nor an array")
			}
		}
	})
}
