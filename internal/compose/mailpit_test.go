package compose

import "testing"

func TestMailpit(t *testing.T) {
	t.Parallel()
	p := load(t, config(t, full))
	s := p.Services["mailpit"]
	if s.User == "" || len(s.EnvFiles) != 0 || len(s.Ports) != 2 {
		t.Errorf("user %q, environment files %v, ports %v", s.User, s.EnvFiles, s.Ports)
	}
	if got := variable(t, p, "golang", "SMTP_HOST") + ":" + variable(t, p, "golang", "SMTP_PORT"); got != "mailpit:1025" {
		t.Errorf("mail goes to %s", got)
	}
	own := load(t, config(t, minimal+"MAILPIT_ENABLED=true\nGOLANG_ENABLED=true\nSMTP_HOST=smtp.example.com\nSMTP_PASS=x\n"))
	if got := variable(t, own, "golang", "SMTP_HOST") + ":" + variable(t, own, "golang", "SMTP_PORT"); got != "smtp.example.com:587" {
		t.Errorf("with a server of one's own, mail goes to %s", got)
	}
	if _, ok := load(t, config(t, minimal+"MAILPIT_ENABLED=false\n")).Services["mailpit"]; ok {
		t.Error("runs though it is disabled")
	}
}
