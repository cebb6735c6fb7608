package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func load(env map[string]string) (Config, error) {
	return Load(func(key string) string { return env[key] })
}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	got, err := load(map[string]string{"DATABASE_URL": "postgres://db/shop", "HASURA_GRAPHQL_ADMIN_SECRET": "s", "SMTP_HOST": ""})
	want := Config{
		Port: 3003, Env: "dev", LogLevel: slog.LevelInfo, ProjectName: "app", PublicURL: "http://localhost:3003",
		AdminSecret: "s", UnauthorizedRole: "public", DatabaseURL: "postgres://db/shop",
		SMTP:      SMTP{Port: 1025, From: "no-reply@localhost"},
		RateLimit: RateLimit{Points: 5, RolePoints: 300, Duration: time.Minute},
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	got, err := load(map[string]string{
		"PORT": "4000", "LISTEN_HOST": "127.0.0.1", "ENV": "prod", "LOG_LEVEL": "debug", "PROJECT_NAME": "shop",
		"PUBLIC_URL": "https://shop.example/fn/", "DATABASE_URL": "postgresql://db/shop", "REDIS_URL": "rediss://:p@redis",
		"HASURA_ADMIN_SECRET": "first", "HASURA_GRAPHQL_ADMIN_SECRET": "second",
		"HASURA_GRAPHQL_ENDPOINT": "http://hasura:8080/v1/graphql", "HASURA_GRAPHQL_UNAUTHORIZED_ROLE": "anonymous",
		"SMTP_HOST": "smtp.example", "SMTP_PORT": "465", "SMTP_USER": "u", "SMTP_PASS": "p", "EMAIL_FROM": "Shop <a@b.example>",
		"RATE_LIMIT_POINTS": "9", "RATE_LIMIT_ROLE_POINTS": "90", "RATE_LIMIT_DURATION": "30",
	})
	want := Config{
		ListenHost: "127.0.0.1", Port: 4000, Env: "prod", LogLevel: slog.LevelDebug, ProjectName: "shop",
		PublicURL: "https://shop.example/fn", AdminSecret: "first", GraphQLEndpoint: "http://hasura:8080/v1/graphql",
		UnauthorizedRole: "anonymous", DatabaseURL: "postgresql://db/shop", RedisURL: "rediss://:p@redis",
		SMTP:      SMTP{Host: "smtp.example", Port: 465, User: "u", Password: "p", From: "Shop <a@b.example>"},
		RateLimit: RateLimit{Points: 9, RolePoints: 90, Duration: 30 * time.Second},
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestLoadReportsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := load(map[string]string{
		"PORT": "70000", "LOG_LEVEL": "loud", "PUBLIC_URL": "ftp://x", "DATABASE_URL": "mysql://u:hidden@db/x",
		"REDIS_URL": "redis://:hidden@%zz", "EMAIL_FROM": "nobody", "RATE_LIMIT_POINTS": "0", "RATE_LIMIT_DURATION": "1m",
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`PORT must be a whole number from 1 to 65535, got "70000"`, "LOG_LEVEL must be", "PUBLIC_URL must begin with http://",
		"DATABASE_URL must begin with postgres://", "REDIS_URL is not a valid URL", "EMAIL_FROM must be an email address",
		"RATE_LIMIT_POINTS must be", "RATE_LIMIT_DURATION must be", "HASURA_ADMIN_SECRET is not set",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hidden") {
		t.Errorf("the error holds a password:\n%v", err)
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	cfg := Config{AdminSecret: "hidden"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).InfoContext(t.Context(), "x", slog.Any("secret", cfg.AdminSecret))
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v %#v %s", cfg, cfg, cfg.AdminSecret), log.String(), string(text)} {
		if strings.Contains(out, "hidden") {
			t.Errorf("the secret is in %s", out)
		}
	}
	if cfg.AdminSecret.Reveal() != "hidden" {
		t.Error("Reveal does not give the text")
	}
}
