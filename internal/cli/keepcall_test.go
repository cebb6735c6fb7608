package cli

import (
	"testing"

	"github.com/nself-org/nself/internal/actioncall"
)

func TestEngineAnswer(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct {
		answer string
		failed bool
		why    string
	}{
		`{"data":{"login":{"success":true}}}`:                   {`{"success":true}`, false, ""},
		`{"data":{"login":{"success":false,"message":"late"}}}`: {`{"success":false,"message":"late"}`, true, "late"},
		`{"errors":[{"message":"no"},{"message":"yes"}]}`:       {`{"errors":[{"message":"no"},{"message":"yes"}]}`, true, "no"},
		`{"data":{"login":"an id"}}`:                            {`"an id"`, false, ""},
		`<html>`:                                                {`<html>`, true, "Bad Gateway"},
	} {
		answer, failed, why := engineAnswer("login", &actioncall.Response{Status: 502, Body: []byte(body)})
		if string(answer) != want.answer || failed != want.failed || why != want.why {
			t.Errorf("%s: %s, %t, %q, want %+v", body, answer, failed, why, want)
		}
	}
}
