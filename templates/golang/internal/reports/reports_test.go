package reports

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/store"
	"github.com/nself-org/nself/templates/golang/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

func openPool(t *testing.T, sql string) store.DB {
	t.Helper()
	pool, err := store.Open(t.Context(), config.Secret(testenv.Database(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	return pool
}

func period(t *testing.T, kind, start, end string) Report {
	t.Helper()
	from, ok1 := Day(start)
	to, ok2 := Day(end)
	if !ok1 || !ok2 {
		t.Fatalf("%s or %s is no date", start, end)
	}
	return Report{Type: kind, Start: from, End: to.AddDate(0, 0, 1)}
}

func never(int) error { return errors.New("no progress was expected") }

func TestUsers(t *testing.T) {
	t.Parallel()
	pool := openPool(t, `INSERT INTO users (id, email, password_hash, name, company, email_verified, created_at) VALUES
		('00000000-0000-4000-8000-000000000002', 'b@x.co', '!', '=1+1', 'A, "B"', true, '2026-01-01 00:00:00Z'),
		('00000000-0000-4000-8000-000000000001', 'a@x.co', '!', E'Two\nlines', NULL, false, '2026-01-01 00:00:00Z'),
		('00000000-0000-4000-8000-000000000003', 'c@x.co', '!', 'Late', '', false, '2026-01-31 23:59:59.9+00'),
		('00000000-0000-4000-8000-000000000004', 'd@x.co', '!', 'Too late', NULL, false, '2026-02-01 00:00:00Z')`)
	var out strings.Builder
	if err := period(t, "USERS", "2026-01-01", "2026-01-31").Write(t.Context(), pool, &out, never); err != nil {
		t.Fatal(err)
	}
	const want = "id,email,name,company,email_verified,created_at\r\n" +
		"00000000-0000-4000-8000-000000000001,a@x.co,\"Two\nlines\",,false,2026-01-01T00:00:00Z\r\n" +
		"00000000-0000-4000-8000-000000000002,b@x.co,'=1+1,\"A, \"\"B\"\"\",true,2026-01-01T00:00:00Z\r\n" +
		"00000000-0000-4000-8000-000000000003,c@x.co,Late,,false,2026-01-31T23:59:59Z\r\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestPayments(t *testing.T) {
	t.Parallel()
	pool := openPool(t, `INSERT INTO users (id, email, password_hash, name)
			VALUES ('00000000-0000-4000-8000-000000000001', 'a@x.co', '!', 'A');
		INSERT INTO payments (id, customer_id, amount, currency, description, status, idempotency_key, request_hash, created_at)
			VALUES ('00000000-0000-4000-8000-000000000009', '00000000-0000-4000-8000-000000000001', 1999, 'usd', '@home', 'SUCCEEDED',
				'k', '', '2026-01-05 12:00:00+02')`)
	var out strings.Builder
	r := period(t, "PAYMENTS", "2026-01-05", "2026-01-05")
	if err := r.Write(t.Context(), pool, &out, never); err != nil {
		t.Fatal(err)
	}
	const want = "id,customer_id,amount,currency,status,description,created_at\r\n" +
		"00000000-0000-4000-8000-000000000009,00000000-0000-4000-8000-000000000001,1999,usd,SUCCEEDED,'@home,2026-01-05T10:00:00Z\r\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	if n, err := r.Count(t.Context(), pool); n != 1 || err != nil {
		t.Errorf("count: %d, %v", n, err)
	}
}

// A report ends when its progress cannot be told: the job was cancelled.
func TestProgress(t *testing.T) {
	t.Parallel()
	pool := openPool(t, `INSERT INTO users (email, password_hash, name, created_at)
		SELECT n || '@x.co', '!', 'N', '2026-01-01Z' FROM generate_series(1, 2500) n`)
	r := period(t, "USERS", "2026-01-01", "2026-01-01")
	var told []int
	var out strings.Builder
	if err := r.Write(t.Context(), pool, &out, func(p int) error { told = append(told, p); return nil }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(told) != "[40 80]" || strings.Count(out.String(), "\r\n") != 2501 {
		t.Errorf("progress %v, %d lines", told, strings.Count(out.String(), "\r\n"))
	}
	cancelled := errors.New("cancelled")
	if err := r.Write(t.Context(), pool, &out, func(int) error { return cancelled }); !errors.Is(err, cancelled) {
		t.Errorf("got %v", err)
	}
}

func TestDay(t *testing.T) {
	t.Parallel()
	if day, ok := Day("2024-02-29"); !ok || !day.Equal(time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("got %s, %t", day, ok)
	}
	for _, text := range []string{"", "2026-02-29", "2026-1-1", "01/02/2026", "2026-01-01T00:00:00Z", "0000-01-01", "2026-13-01"} {
		if day, ok := Day(text); ok {
			t.Errorf("%q is %s", text, day)
		}
	}
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	for rows, want := range map[int]int{0: 1, 10_000: 1, 10_001: 2, 1_000_000: 100} {
		if got := Estimate(rows); got != want {
			t.Errorf("%d rows: %d s, want %d", rows, got, want)
		}
	}
}
