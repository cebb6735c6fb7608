package env

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/joho/godotenv"
)

// FuzzParse: scanning never fails, places are inside the file, and where nothing is wrong godotenv reads the same
// values from the untouched file. It reads a comment differently in one case, which is left out: several # signs
// behind a value.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"A=1\nB=2\n", "A='x\ny'\nB=\"\\\"\"\n", "export A=1", "A: b\r\nC=\"d\r\ne\"", "\ufeffA=1", "A=\"x", "A=x #y", "A=\"\"\"", "A='\\'\nB='",
		"A=$B", "A=1\nB=${A}\nC=\\$A\nD=\"\\\\$A\"", "A=\u00a0x\u0085\n", "\v\fA\v=\f1", "A=\"\"#", "A=1\rB=2", "#\nA=", "export\tA=1", "exportA=1",
		"export=1", "A.B=1", "A=\"\\n\\r\\t\\\\n\"",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if !utf8.ValidString(src) || strings.ContainsRune(src, 0) {
			return // refused before
		}
		fl := &file{name: ".env", src: []byte(src), values: map[string]assignment{}}
		var faults []fault
		fl.statements, faults = scan(fl.src)
		comments := false
		for _, st := range fl.statements {
			if st.line < 1 || st.line > 1+strings.Count(src, "\n") || st.valStart > st.valEnd || st.valEnd > len(src) {
				t.Fatalf("%q: statement out of place: %+v", src, st)
			}
			comments = comments || st.comment
		}
		fl.decode(func(string) (string, bool) { return "", false })
		if len(faults) > 0 || len(fl.problems) > 0 || comments {
			return
		}
		want, err := godotenv.Unmarshal(strings.TrimPrefix(src, byteOrderMark))
		if err != nil {
			t.Fatalf("%q: accepted, and godotenv says %v", src, err)
		}
		if len(want) != len(fl.values) {
			t.Fatalf("%q: %d keys, godotenv finds %d", src, len(fl.values), len(want))
		}
		for key, text := range want {
			if fl.values[key].text != text {
				t.Fatalf("%q: %s is %q, godotenv reads %q", src, key, fl.values[key].text, text)
			}
		}
	})
}
