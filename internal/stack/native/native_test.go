package native_test

import (
	"testing"
	"time"
)

func TestUpDown(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	begin := time.Now()
	p.mustUp(t)
	t.Logf("cold up: %s %s", time.Since(begin), eventText(p.taken()))
	p.psql(t, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")
	begin = time.Now()
	p.mustDown(t)
	t.Logf("down: %s", time.Since(begin))
	begin = time.Now()
	p.mustUp(t)
	t.Logf("warm up: %s %s", time.Since(begin), eventText(p.taken()))
	if got := p.psql(t, "SELECT id FROM kept"); got != "7" {
		t.Errorf("the row is %q, want 7", got)
	}
}
