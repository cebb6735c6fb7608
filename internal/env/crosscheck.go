package env

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// crossCheck looks at values that must fit together.
func (l *loader) crossCheck() {
	l.checkJWT()
	l.checkPorts()
	l.checkSecrets()
	l.checkMail()
	l.checkFiles()
}

func (l *loader) source(key string) Source { return l.cfg.values[key].Source }

// checkJWT builds HASURA_GRAPHQL_JWT_SECRET from HASURA_JWT_KEY where only that is set.
func (l *loader) checkJWT() {
	key := l.cfg.values["HASURA_JWT_KEY"]
	if key.Text == "" {
		return
	}
	if l.cfg.Hasura.JWTSecret != "" {
		l.warn(key.Source, key.Key, "not used, because HASURA_GRAPHQL_JWT_SECRET is set too", "remove one of the two")
		return
	}
	kind := l.cfg.values["HASURA_JWT_TYPE"].Text
	if problem := checkJWTKey(kind, key.Text); problem != "" {
		l.problem(key.Source, key.Key, problem, generateHint(key.Key))
		return
	}
	text, err := json.Marshal(struct {
		Type string `json:"type"`
		Key  string `json:"key"`
	}{kind, key.Text})
	if err != nil { // strings always marshal
		return
	}
	l.cfg.Hasura.JWTSecret = Secret(text)
	v := l.cfg.values["HASURA_GRAPHQL_JWT_SECRET"]
	v.Text, v.Source = string(text), key.Source
	l.cfg.values[v.Key] = v
}

// checkPorts reports ports that two enabled services would share.
func (l *loader) checkPorts() {
	c := l.cfg
	taken := map[int]string{}
	for _, p := range []struct {
		key     string
		port    int
		enabled bool
	}{
		{"POSTGRES_PORT", c.Postgres.Port, true},
		{"HASURA_PORT", c.Hasura.Port, true},
		{"REDIS_PORT", c.Redis.Port, c.Redis.Enabled},
		{"MAILPIT_SMTP_PORT", c.Mail.SMTPPort, c.Mail.Enabled},
		{"MAILPIT_UI_PORT", c.Mail.UIPort, c.Mail.Enabled},
		{"MINIO_PORT", c.Minio.Port, c.Minio.Enabled},
		{"MINIO_CONSOLE_PORT", c.Minio.ConsolePort, c.Minio.Enabled},
		{"NESTJS_PORT", c.NestJS.Port, c.NestJS.Enabled},
		{"PYTHON_PORT", c.Python.Port, c.Python.Enabled},
		{"GOLANG_PORT", c.Golang.Port, c.Golang.Enabled},
	} {
		if !p.enabled {
			continue
		}
		other, clash := taken[p.port]
		if !clash {
			taken[p.port] = p.key
			continue
		}
		key := p.key
		if l.source(key).Kind == FromDefault {
			key, other = other, key // name first the one that somebody has set
		}
		l.problem(l.source(key), key, fmt.Sprintf("port %d is also %s (%s)", p.port, other, l.source(other)),
			"give each service its own port")
	}
}

// wellKnown are secrets that stand in documentation and templates.
func wellKnown(text string) bool {
	text = strings.ToLower(text)
	return slices.Contains([]string{
		"secretpassword", "postgres-dev-password", "hasura-admin-secret", "hasura-admin-secret-dev", "myadminsecretkey",
		"change-this-secret-in-production", "changeme", "change-me", "password", "postgres", "postgrespassword", "secret",
		"admin", "minioadmin", "your-admin-secret", "admin-secret", "adminsecret",
	}, text) || strings.Contains(text, "change-this") || strings.Contains(text, "changeme")
}

// weakness says why a known key's secret is weak, or "".
func weakness(key, text, jwtType string) string {
	length := 0
	switch key {
	case "POSTGRES_PASSWORD":
		length = 16
	case "HASURA_GRAPHQL_ADMIN_SECRET":
		length = 32
	case "REDIS_PASSWORD":
		length = 6
	case "MINIO_ROOT_PASSWORD":
		length = 8
	case "HASURA_JWT_KEY":
		if problem := checkJWTKey(jwtType, text); problem != "" {
			return problem
		}
	default:
		return ""
	}
	switch {
	case wellKnown(text):
		return "a well-known secret that anybody may try"
	case len(text) < length:
		return fmt.Sprintf("has %d characters, prod wants %d or more", len(text), length)
	}
	return ""
}

func generateHint(key string) string {
	return "generate one: openssl rand -hex 32 | nself config set " + key + " -"
}

// checkSecrets reports weak secrets: a problem in prod, a warning elsewhere.
func (l *loader) checkSecrets() {
	c := l.cfg
	for _, s := range []struct {
		key     string
		enabled bool
	}{
		{"POSTGRES_PASSWORD", true},
		{"HASURA_GRAPHQL_ADMIN_SECRET", true},
		{"REDIS_PASSWORD", c.Redis.Enabled},
		{"MINIO_ROOT_PASSWORD", c.Minio.Enabled},
	} {
		v := c.values[s.key]
		if !s.enabled || v.Text == "" || v.Source.Kind == FromDefault {
			continue
		}
		problem := weakness(s.key, v.Text, "")
		switch {
		case problem == "":
		case c.Env == Prod:
			l.problem(v.Source, s.key, problem, generateHint(s.key))
		default:
			l.warn(v.Source, s.key, problem, generateHint(s.key))
		}
	}
	if c.Minio.Enabled && c.Minio.RootPassword == "" && !l.broken && !l.reported("MINIO_ROOT_PASSWORD") {
		l.missing(c.table.find("MINIO_ROOT_PASSWORD"), c.layers["MINIO_ROOT_PASSWORD"])
	}
	if c.Env == Prod && c.Redis.Enabled && c.Redis.Password == "" {
		l.warn(Source{}, "REDIS_PASSWORD", "not set: anybody who reaches Redis may use it",
			generateHint("REDIS_PASSWORD"))
	}
	if c.Env == Prod && c.Hasura.CORSDomain == "*" {
		l.warn(l.source("HASURA_GRAPHQL_CORS_DOMAIN"), "HASURA_GRAPHQL_CORS_DOMAIN", "* lets every web site call the API",
			"list the origins of your own sites, separated by commas")
	}
}

// reported tells whether a key has a problem already.
func (l *loader) reported(key string) bool {
	return slices.ContainsFunc(l.report.Problems, func(p *Problem) bool { return p.Key == key })
}

// checkMail points out settings of a mail server that is not named.
func (l *loader) checkMail() {
	if l.cfg.Mail.SMTP.Host != "" {
		return
	}
	for _, key := range []string{"SMTP_PORT", "SMTP_USER", "SMTP_PASS"} {
		if l.set[key] {
			l.warn(l.source(key), key, "has no effect without SMTP_HOST", "set SMTP_HOST to the name of your mail server")
		}
	}
}

// checkFiles looks at the files themselves: who may read secrets, and which files look like layers and are none.
func (l *loader) checkFiles() {
	for _, f := range l.files {
		if f.name != localFile || f.mode&0o077 == 0 {
			continue
		}
		for _, key := range f.order {
			if k := l.cfg.table.find(key); f.values[key].text != "" && (k != nil && k.Secret || k == nil && secretName(key)) {
				l.warn(Source{Kind: FromFile, File: f.name}, "", "holds secrets and other users of this machine can read it",
					"run chmod 600 "+f.name)
				break
			}
		}
	}
	for _, stray := range []struct{ name, instead string }{
		{".env.secrets", localFile},
		{".env.development", ".env." + Dev},
		{".env.stage", ".env." + Staging},
		{".env.production", ".env." + Prod},
	} {
		if _, err := os.Lstat(filepath.Join(l.cfg.Dir, stray.name)); err == nil {
			l.warn(Source{Kind: FromFile, File: stray.name}, "", "this file is not read", "move its lines to "+stray.instead)
		}
	}
}
