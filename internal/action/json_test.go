package action

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestValidJSON(t *testing.T) {
	t.Parallel()
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	cases := map[string]bool{
		``: false, ` `: false, `1`: true, ` {"a": [1]} `: true, `{"a":}`: false, `01`: false, "\"\xff\"": false,
		nested(512): true, nested(513): false, `"` + strings.Repeat("[", 9000) + `"`: true,
		`["` + strings.Repeat(`\"[`, 9000) + `"]`:        true,
		"[" + strings.Repeat("[],", 9000) + "1]":         true,
		strings.Repeat(`{"a":`, 600):                     false,
		strings.Repeat(`[`, 5_000_000):                   false,
		strings.Repeat(`[`, 600) + `"` + nested(1) + `"`: false,
	}
	for text, want := range cases {
		if got := ValidJSON([]byte(text)); got != want {
			t.Errorf("%.40q: got %v, want %v", text, got, want)
		}
	}
}

func TestMember(t *testing.T) {
	t.Parallel()
	object := ` { "a" : 1 , "b":{"a":2,"x":"}"}, "c\"\\" :[ "a", "]" ] , "a":null,"":true}`
	for key, want := range map[string]string{
		"a": "null", "b": `{"a":2,"x":"}"}`, `c"\`: `[ "a", "]" ]`, "": "true",
	} {
		if got, ok := Member(Trim(object), key); !ok || got != want {
			t.Errorf("%q: got %q, %v, want %q", key, got, ok, want)
		}
	}
	if _, ok := Member("{}", "a"); ok {
		t.Error("found a member in an empty object")
	}
}

func TestElements(t *testing.T) {
	t.Parallel()
	elements := NewElements(`[ 1 , "a,]" , [ 2 ] , {"b" : 3},null ]`)
	var got []string
	for {
		e, ok := elements.Next()
		if !ok {
			break
		}
		got = append(got, e)
	}
	if diff := cmp.Diff([]string{"1", `"a,]"`, "[ 2 ]", `{"b" : 3}`, "null"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzWalk checks that whatever is valid walks like the decoder of the standard library, and that nothing panics.
func FuzzWalk(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":[{"c":"\"}"},null]}`, `{"\u0061":"\\"}`, `[[],{},"x"]`, `{"a":{"a":{}}}`, ` { } `} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !ValidJSON([]byte(text)) {
			return
		}
		text = Trim(text)
		if text[0] == '{' {
			var want map[string]json.RawMessage
			if err := json.Unmarshal([]byte(text), &want); err != nil {
				t.Fatalf("%q is accepted, but %v", text, err)
			}
			for key, value := range want {
				if strings.ContainsRune(key, utf8.RuneError) {
					continue // lone surrogates: the two libraries replace them differently
				}
				if got, ok := Member(text, key); !ok || got != string(value) {
					t.Errorf("%q: member %q is %q, want %q", text, key, got, value)
				}
			}
		}
		if text[0] == '[' {
			var want []json.RawMessage
			if err := json.Unmarshal([]byte(text), &want); err != nil {
				t.Fatalf("%q is accepted, but %v", text, err)
			}
			elements := NewElements(text)
			for i, value := range want {
				if got, ok := elements.Next(); !ok || got != string(value) {
					t.Errorf("%q: element %d is %q, want %q", text, i, got, value)
				}
			}
			if extra, ok := elements.Next(); ok {
				t.Errorf("%q: one element too many: %q", text, extra)
			}
		}
	})
}

// FuzzAppendString checks that every string becomes valid JSON that reads back as it was.
func FuzzAppendString(f *testing.F) {
	for _, seed := range []string{"", "a\"\\\n\r\t\x00\x1f\u2028é", "\xff", "\x7f"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got string
		if err := json.Unmarshal(AppendString(nil, text), &got); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(text, "\uFFFD"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
