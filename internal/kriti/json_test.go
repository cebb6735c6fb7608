package kriti_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nself-org/nself/internal/kriti"
)

func TestParseJSON(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{` {"b":1,"a":[true,false,null,"x\u0041\/\n"]} `, `{"a":[true,false,null,"xA/\n"],"b":1}`},
		{`{"k":1,"k":2}`, `{"k":2}`},
		{`"\ud83d\ude00\ud83d\u0041\ude00"`, `"😀` + "\uFFFDA\uFFFD" + `"`},
		{`"` + "\xff" + `"`, `"` + "\uFFFD" + `"`},
		{`[1.10,1e2,-0,0.001,123456789.5]`, `[1.1,100,0,1.0e-3,1.234567895e8]`},
		{`[1e2000,-1e-2000]`, `[1.0e2000,-1.0e-2000]`},
		{``, ``},
		{`{`, ``},
		{`{"a"}`, ``},
		{`{"a":1,}`, ``},
		{`[1,]`, ``},
		{`[1 2]`, ``},
		{`01`, ``},
		{`1.`, ``},
		{`.5`, ``},
		{`1e`, ``},
		{`-`, ``},
		{`tru`, ``},
		{`"a`, ``},
		{`"\x"`, ``},
		{`"\u12"`, ``},
		{"\"a\nb\"", ``},
		{`1 1`, ``},
		{strings.Repeat("[", 100_000), ``},
		{`[` + strings.Repeat("1e1024,", 100_000) + `1]`, ``},
	}
	for _, tt := range tests {
		t.Run(tt.in[:min(len(tt.in), 40)], func(t *testing.T) {
			t.Parallel()
			got, err := kriti.ParseJSON([]byte(tt.in))
			if (err != nil) != (tt.want == "") {
				t.Fatalf("error %v", err)
			}
			if err == nil && string(got.AppendJSON(nil)) != tt.want {
				t.Errorf("got %s, want %s", got.AppendJSON(nil), tt.want)
			}
		})
	}
}

// FuzzParseJSON holds the reader against encoding/json: it accepts the same texts, and what it prints settles. (It settles
// at the second time: 10000000.0 prints as 1.0e7, as in Hasura, and that is the whole number 10000000.)
func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.50,"x\u00e9"]}`, `"\ud800"`, `[1e999999999999]`, `-0.0`, `{"":{}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := kriti.ParseJSON(data)
		if (err == nil) != json.Valid(data) {
			t.Fatalf("error %v, json.Valid %t", err, json.Valid(data))
		}
		if err != nil {
			return
		}
		texts := []string{string(v.AppendJSON(nil))}
		for range 2 {
			if v, err = kriti.ParseJSON([]byte(texts[len(texts)-1])); err != nil {
				t.Fatalf("%q: %v", texts, err)
			}
			texts = append(texts, string(v.AppendJSON(nil)))
		}
		if texts[1] != texts[2] {
			t.Fatalf("%q", texts)
		}
	})
}
