package compose

import "testing"

func TestNestJS(t *testing.T) {
	t.Parallel()
	p := load(t, config(t, minimal+"NESTJS_ENABLED=true\nNESTJS_PORT=4000\nNESTJS_IMAGE=registry.example.com/base:1\nAPI_KEY=k\n"))
	s := p.Services["nestjs"]
	for key, want := range map[string]string{
		"PORT":                    "4000",
		"PUBLIC_URL":              "http://localhost:4000",
		"REDIS_URL":               "redis://redis:6379/0",
		"DATABASE_URL":            "postgres://postgres:pg-secret-value@postgres:5432/shop?sslmode=disable",
		"HASURA_GRAPHQL_ENDPOINT": "http://hasura:8080/v1/graphql",
		"HASURA_ADMIN_SECRET":     "admin-secret-value",
		"RATE_LIMIT_POINTS":       "5",
		"RATE_LIMIT_DURATION":     "60",
		"API_KEY":                 "k",
		"LOG_LEVEL":               "info",
		"ENV":                     "dev",
		"PROJECT_NAME":            "shop",
	} {
		if got := variable(t, p, "nestjs", key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	if base := s.Build.Args["BASE_IMAGE"]; base == nil || *base != "registry.example.com/base:1" {
		t.Errorf("the base image is not replaced: %v", s.Build.Args)
	}
	if s.HealthCheck.Test[1] != "node" {
		t.Errorf("health check = %v", s.HealthCheck.Test)
	}
	if s.Ports[0].Published != "4000" || s.Ports[0].Target != 4000 {
		t.Errorf("port = %+v", s.Ports[0])
	}
}
