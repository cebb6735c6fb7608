package compose

import (
	"net/url"
	"testing"
)

func TestHasura(t *testing.T) {
	t.Parallel()
	p := load(t, config(t, full))
	for key, want := range map[string]string{
		"HASURA_GRAPHQL_ADMIN_SECRET":      "admin-secret-value",
		"HASURA_ADMIN_SECRET":              "admin-secret-value",
		"HASURA_GRAPHQL_UNAUTHORIZED_ROLE": "visitor",
		"HASURA_GRAPHQL_CORS_DOMAIN":       "https://shop.example",
		"HASURA_GRAPHQL_LOG_LEVEL":         "warn",
		"GOLANG_URL":                       "http://golang:3003",
		"NESTJS_URL":                       "http://nestjs:3001",
		"PYTHON_URL":                       "http://python:4002",
		"STRIPE_SECRET_KEY":                "stripe-secret-value", // metadata may refer to it
	} {
		if got := variable(t, p, "hasura", key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	u, err := url.Parse(variable(t, p, "hasura", "HASURA_GRAPHQL_DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	if password, _ := u.User.Password(); password != `p@ss/w:rd #1 $HOME "quoted"` || u.Host != "postgres:5432" || u.Path != "/full_shop" {
		t.Errorf("database: password %q, host %q, path %q", password, u.Host, u.Path)
	}
	s := p.Services["hasura"]
	if s.User != "1001:1001" || s.DependsOn["postgres"].Condition != "service_healthy" {
		t.Errorf("user %q, depends on %v", s.User, s.DependsOn)
	}
}

// TestHandlerElsewhere: a developer who runs a service outside the containers names it.
func TestHandlerElsewhere(t *testing.T) {
	t.Parallel()
	p := load(t, config(t, minimal+"GOLANG_URL=http://host.docker.internal:3003\n"))
	if got := variable(t, p, "hasura", "GOLANG_URL"); got != "http://host.docker.internal:3003" {
		t.Errorf("GOLANG_URL = %q", got)
	}
	if len(p.Services["hasura"].ExtraHosts["host.docker.internal"]) != 1 {
		t.Errorf("extra hosts: %v", p.Services["hasura"].ExtraHosts)
	}
}
