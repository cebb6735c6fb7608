package jsonlog_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/jsonlog"
)

// hidden is a secret.
type hidden string

func (hidden) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// TestSameAsStandard holds that every record comes out as the standard library writes it.
func TestSameAsStandard(t *testing.T) {
	t.Parallel()
	var want, got bytes.Buffer
	standard := slog.NewJSONHandler(&want, &slog.HandlerOptions{Level: slog.LevelInfo})
	ours := jsonlog.New(&got, slog.LevelInfo)
	now := time.Now()
	record := func(at time.Time, level slog.Level, message string, attrs ...slog.Attr) slog.Record {
		r := slog.NewRecord(at, level, message, 0)
		r.AddAttrs(attrs...)
		return r
	}
	for _, r := range []slog.Record{
		record(now, slog.LevelInfo, "http-log", slog.String("path", "/v1/graphql"), slog.Int("status", 200),
			slog.Duration("duration", 1234567), slog.Int64("a", -1), slog.Uint64("b", math.MaxUint64), slog.Bool("c", true),
			slog.String("empty", "")),
		record(now.UTC(), slog.LevelWarn+1, `quotes " \ <>&`, slog.String("é", "\x00\u2028\xff")),
		record(time.Date(2026, 1, 2, 3, 4, 5, 120000000, time.FixedZone("", 3600)), slog.LevelError, ""),
		record(time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC), slog.LevelInfo, "late"), record(time.Time{}, slog.LevelInfo, "never"),
		record(now, slog.LevelInfo, "others", slog.Any("error", errors.New("e")), slog.Float64("f", 1e300), slog.Any("secret", hidden("x")),
			slog.Time("t", now), slog.Group("g", slog.Int("x", 1)), slog.Any("nil", nil), slog.Attr{}),
		record(now, slog.LevelInfo, "tab\t", slog.String("a\"b", "c")),
	} {
		if err := errors.Join(standard.Handle(t.Context(), r), ours.Handle(t.Context(), r)); err != nil {
			t.Fatal(err)
		}
		with := []slog.Attr{slog.String("service", "x")}
		for _, derive := range []func(slog.Handler) slog.Handler{
			func(h slog.Handler) slog.Handler { return h.WithAttrs(with) },
			func(h slog.Handler) slog.Handler { return h.WithGroup("g") },
		} {
			if err := errors.Join(derive(standard).Handle(t.Context(), r), derive(ours).Handle(t.Context(), r)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(want.String(), got.String()); diff != "" {
		t.Errorf("(-standard +ours)\n%s", diff)
	}
	if ours.Enabled(t.Context(), slog.LevelDebug) || !ours.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("the level is not kept")
	}
}

func BenchmarkHandle(b *testing.B) {
	for name, h := range map[string]slog.Handler{
		"standard": slog.NewJSONHandler(io.Discard, nil), //nolint:sloglint // the writing is what is measured
		"ours":     jsonlog.New(io.Discard, slog.LevelInfo),
	} {
		b.Run(name, func(b *testing.B) {
			log := slog.New(h)
			b.ReportAllocs()
			for b.Loop() {
				log.LogAttrs(context.Background(), slog.LevelInfo, "http-log", slog.String("request_id", "2f1c6f5e-51a7-4d0a"),
					slog.String("method", "POST"), slog.String("path", "/v1/graphql"), slog.Int("status", 200),
					slog.String("role", "admin"), slog.Duration("duration", time.Millisecond), slog.Int64("request_bytes", 200))
			}
		})
	}
}
