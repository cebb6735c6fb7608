package compose

import "testing"

func TestPython(t *testing.T) {
	t.Parallel()
	p := load(t, config(t, minimal+"PYTHON_ENABLED=true\nPYTHON_PORT=4000\nPYTHON_IMAGE=registry.example.com/base:1\nAPI_KEY=k\n"))
	s := p.Services["python"]
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
		if got := variable(t, p, "python", key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	if base := s.Build.Args["BASE_IMAGE"]; base == nil || *base != "registry.example.com/base:1" {
		t.Errorf("the base image is not replaced: %v", s.Build.Args)
	}
	if s.HealthCheck.Test[1] != "python" {
		t.Errorf("health check = %v", s.HealthCheck.Test)
	}
	if s.Ports[0].Published != "4000" || s.Ports[0].Target != 4000 {
		t.Errorf("port = %+v", s.Ports[0])
	}
}
