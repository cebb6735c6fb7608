package migrate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql  string
		want []string
	}{
		"plain":        {"SELECT 1; SELECT 2;\n", []string{"SELECT 1", "SELECT 2"}},
		"quotes":       {`SELECT ';', "a;b", 'it''s;'; SELECT E'\';'`, []string{`SELECT ';', "a;b", 'it''s;'`, `SELECT E'\';'`}},
		"dollar":       {"DO $$ a; $$; DO $t$ $$; $t$; SELECT $1;", []string{"DO $$ a; $$", "DO $t$ $$; $t$", "SELECT $1"}},
		"comments":     {"-- a;\nSELECT 1 /* ; /* ; */ ; */; -- end;", []string{"-- a;\nSELECT 1 /* ; /* ; */ ; */"}},
		"rule":         {"CREATE RULE r AS ON INSERT TO a DO (SELECT 1; SELECT 2); SELECT 3", []string{"CREATE RULE r AS ON INSERT TO a DO (SELECT 1; SELECT 2)", "SELECT 3"}},
		"unterminated": {"SELECT 'a;", []string{"SELECT 'a;"}},
		"empty":        {";;  ;", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, s := range split(c.sql) {
				got = append(got, strings.TrimSpace(s.text))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("statements (-want +got):\n%s", diff)
			}
		})
	}
}

// Statements are parts of the text in order, whatever the text.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"SELECT 1; SELECT 2", "DO $a$ ; $a$", "/* /* */", "E'\\", "CREATE BEGIN ATOMIC CASE END END; x", "$", "'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		rest := sql
		for _, s := range split(sql) {
			_, after, ok := strings.Cut(rest, s.text)
			if !ok {
				t.Fatalf("%q is not in %q", s.text, rest)
			}
			rest = after
			if s.line < 1 || s.line > strings.Count(sql, "\n")+1 {
				t.Fatalf("line %d of %q", s.line, sql)
			}
		}
	})
}
