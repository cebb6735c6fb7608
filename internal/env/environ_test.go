package env_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFunctionEnv(t *testing.T) {
	t.Parallel()
	cfg := load(t, project(t, ".env", "GOLANG_ENABLED=true\nAPI_KEY=k\nPORT=1\nDATABASE_URL=x\nHASURA_GRAPHQL_LOG_LEVEL=debug\n",
		".env.local", secrets+"REDIS_PASSWORD='p@ss/w:rd'\n"))
	want := []string{
		"API_KEY=k",
		"DATABASE_URL=postgres://postgres:0123456789abcdef0123@postgres:5432/shop?sslmode=disable",
		"EMAIL_FROM=noreply@localhost",
		"ENV=dev",
		"HASURA_ADMIN_SECRET=0123456789abcdef0123456789abcdef",
		"HASURA_GRAPHQL_ADMIN_SECRET=0123456789abcdef0123456789abcdef",
		"HASURA_GRAPHQL_ENDPOINT=http://hasura:8080/v1/graphql",
		"LOG_LEVEL=info",
		"PORT=3003",
		"PROJECT_NAME=shop",
		"PUBLIC_URL=http://localhost:3003",
		"RATE_LIMIT_DURATION=60",
		"RATE_LIMIT_POINTS=5",
		"REDIS_URL=redis://:p%40ss%2Fw%3Ard@redis:6379/0",
		"SMTP_HOST=mailpit",
		"SMTP_PASS=",
		"SMTP_PORT=1025",
		"SMTP_USER=",
	}
	if diff := cmp.Diff(want, cfg.FunctionEnv(cfg.Golang, cfg.ContainerEndpoints())); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestFunctionEnvVariants(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, env string
		want      []string
	}{
		{"own mail server", "SMTP_HOST=mail.example.com\nSMTP_USER=u\nSMTP_PASS=p", []string{
			"SMTP_HOST=mail.example.com", "SMTP_PORT=587", "SMTP_USER=u", "SMTP_PASS=p",
		}},
		{"catcher on another port", "MAILPIT_SMTP_PORT=2525", []string{"SMTP_HOST=localhost", "SMTP_PORT=2525"}},
		{"no mail", "MAILPIT_ENABLED=no", []string{"SMTP_HOST=", "SMTP_PORT="}},
		{"no redis", "REDIS_ENABLED=no", []string{"REDIS_URL="}},
		{"redis without password", "", []string{"REDIS_URL=redis://localhost:6379/0"}},
		{"minio", "MINIO_ENABLED=yes\nMINIO_PORT=9100", []string{
			"S3_ENDPOINT=http://localhost:9100", "S3_ACCESS_KEY=minioadmin", "S3_SECRET_KEY=minioadmin", "S3_BUCKET=shop",
		}},
		{"own store", "MINIO_ENABLED=yes\nS3_ENDPOINT=https://s3.example.com\nS3_ACCESS_KEY=a", []string{
			"S3_ENDPOINT=https://s3.example.com", "S3_ACCESS_KEY=a",
		}},
		{"public address", "PUBLIC_URL=https://shop.example.com/", []string{"PUBLIC_URL=https://shop.example.com"}},
		{
			"public address of one service", "PUBLIC_URL=https://a.example.com\nNESTJS_PUBLIC_URL=https://b.example.com",
			[]string{"PUBLIC_URL=https://b.example.com"},
		},
		{"limits", "RATE_LIMIT_POINTS=7\nRATE_LIMIT_DURATION=9\nLOG_LEVEL=DEBUG", []string{
			"RATE_LIMIT_POINTS=7", "RATE_LIMIT_DURATION=9", "LOG_LEVEL=debug",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := load(t, project(t, ".env", "NESTJS_ENABLED=true\n"+tt.env, ".env.local", secrets))
			lines := cfg.FunctionEnv(cfg.NestJS, cfg.LocalEndpoints())
			for _, line := range tt.want {
				if !slices.Contains(lines, line) {
					t.Errorf("no %q in\n%s", line, strings.Join(lines, "\n"))
				}
			}
		})
	}
}

func TestEngineEnv(t *testing.T) {
	t.Parallel()
	cfg := load(t, project(t, ".env", "API_KEY=k\nPORT=1\nHASURA_GRAPHQL_LOG_LEVEL=debug\nPYTHON_URL=http://10.0.0.1:9/\n"+
		"HASURA_JWT_KEY=0123456789\"abcdef0123456789abcdef\n", ".env.local", secrets))
	got := cfg.EngineEnv(cfg.LocalEndpoints())
	database := "postgres://postgres:0123456789abcdef0123@localhost:5432/shop?sslmode=disable"
	want := map[string]string{
		"API_KEY":                              "k",
		"GOLANG_URL":                           "http://localhost:3003",
		"NESTJS_URL":                           "http://localhost:3001",
		"PYTHON_URL":                           "http://10.0.0.1:9",
		"HASURA_ADMIN_SECRET":                  "0123456789abcdef0123456789abcdef",
		"HASURA_GRAPHQL_ADMIN_SECRET":          "0123456789abcdef0123456789abcdef",
		"HASURA_GRAPHQL_CORS_DOMAIN":           "*",
		"HASURA_GRAPHQL_DATABASE_URL":          database,
		"HASURA_GRAPHQL_DEV_MODE":              "true",
		"HASURA_GRAPHQL_ENABLE_CONSOLE":        "true",
		"HASURA_GRAPHQL_ENABLE_TELEMETRY":      "false",
		"HASURA_GRAPHQL_JWT_SECRET":            `{"type":"HS256","key":"0123456789\"abcdef0123456789abcdef"}`,
		"HASURA_GRAPHQL_LOG_LEVEL":             "debug",
		"HASURA_GRAPHQL_METADATA_DATABASE_URL": database,
		"PG_DATABASE_URL":                      database,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if got := cfg.EngineEnv(cfg.ContainerEndpoints())["GOLANG_URL"]; got != "http://golang:3003" {
		t.Errorf("GOLANG_URL in containers is %s", got)
	}
	_ = cfg.LocalEndpoints()
}
