package mail

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

func TestSend(t *testing.T) {
	t.Parallel()
	box := testenv.NewMailbox(t)
	m := New(config.SMTP{Host: box.Host, Port: box.Port, From: "Shop <no-reply@shop.test>"})
	msg := Message{To: "ann@example.com", Subject: "Grüße", Text: "plain words", HTML: "<p>rich words</p>"}
	if err := m.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	sent := box.Messages()
	if len(sent) != 1 {
		t.Fatalf("%d messages arrived", len(sent))
	}
	for _, want := range []string{
		`From: "Shop" <no-reply@shop.test>`, "To: <ann@example.com>", "Subject: =?UTF-8?", "multipart/alternative",
		"plain words", "<p>rich words</p>",
	} {
		if !strings.Contains(sent[0], want) {
			t.Errorf("%q is not in the message:\n%s", want, sent[0])
		}
	}
}

func TestSendFails(t *testing.T) {
	t.Parallel()
	box := testenv.NewMailbox(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	to := Message{To: "ann@example.com", Subject: "s", Text: "t", HTML: "h"}
	for _, tt := range []struct {
		name string
		ctx  context.Context //nolint:containedctx // the case is the context
		cfg  config.SMTP
		msg  Message
		want string
	}{
		{"no server", t.Context(), config.SMTP{From: "a@b.test"}, to, "SMTP_HOST is not set"},
		{"cancelled", cancelled, config.SMTP{Host: box.Host, Port: box.Port, From: "a@b.test"}, to, "send mail through"},
		{"bad recipient", t.Context(), config.SMTP{Host: box.Host, Port: box.Port, From: "a@b.test"}, Message{To: "x\n"}, "recipient"},
		// A password must not cross a line that the server does not encrypt.
		{
			"password without TLS", t.Context(),
			config.SMTP{Host: box.Host, Port: box.Port, From: "a@b.test", User: "u", Password: "hidden"},
			to, "STARTTLS",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := New(tt.cfg).Send(tt.ctx, tt.msg)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	if sent := box.Messages(); len(sent) != 0 {
		t.Errorf("%d messages arrived", len(sent))
	}
}
