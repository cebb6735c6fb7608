package scaffold

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
)

// secretBytes is how much randomness each generated secret holds: what an HS256 key needs at least (RFC 7518, section
// 3.2).
const secretBytes = 32

// SecretSource gives the random bytes that secrets are made of. Nil means the system's generator.
type SecretSource = io.Reader

// ProjectInput describes a new project.
type ProjectInput struct {
	// Name becomes PROJECT_NAME: lower-case letters, digits and hyphens, 2 to 30 characters, see [ProjectName].
	Name string
	// Runtimes lists the function services to switch on: "golang", "nestjs", "python".
	Runtimes []string
	Secrets  SecretSource
}

// runtimePorts holds the known runtimes and their default ports.
var runtimePorts = map[string]int{"golang": 3003, "nestjs": 3001, "python": 3002}

// runtimeNames is the order in which runtimes are written.
var runtimeNames = []string{"golang", "nestjs", "python"}

// RuntimeNames lists the runtimes that a project can have, in the order in which they are written.
func RuntimeNames() []string { return slices.Clone(runtimeNames) }

var projectName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,28}[a-z0-9]$`)

// ProjectName turns any text, such as a folder's name, into a valid project name. When nothing is left of it, it is
// "my-project".
func ProjectName(s string) string {
	s = regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(s), "-")
	s = strings.Trim(s, "-")
	if len(s) > 30 {
		s = strings.Trim(s[:30], "-")
	}
	if len(s) < 2 {
		return "my-project"
	}
	return s
}

// Project renders a new project: environment files with generated secrets, and a Hasura CLI project that
// `hasura metadata apply` accepts as it stands. All files belong to the user. It returns an error of class
// [errdefs.ErrUsage] for a bad name or runtime.
func Project(in ProjectInput) ([]File, error) {
	if !projectName.MatchString(in.Name) {
		return nil, errdefs.WithHint(
			errdefs.As(errdefs.ErrUsage, fmt.Errorf("project name %q: lower-case letters, digits and hyphens, "+
				"2 to 30 characters, a letter or digit at both ends", in.Name)),
			fmt.Sprintf("use %q", ProjectName(in.Name)))
	}
	for _, name := range in.Runtimes {
		if _, ok := runtimePorts[name]; !ok {
			return nil, errdefs.WithHint(
				errdefs.As(errdefs.ErrUsage, fmt.Errorf("runtime %q is not known", name)),
				"choose among "+strings.Join(runtimeNames, ", "))
		}
	}
	local, err := envLocal(in)
	if err != nil {
		return nil, err
	}
	files := []File{
		text(".env", envDefaults(in.Name)),
		{Path: ".env.local", Data: local, Mode: 0o600, Owner: OwnerUser},
		text(".gitignore", gitignore),
		text("README.md", readme(in)),
	}
	files = append(files, hasuraProject()...)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

func text(path, content string) File {
	return File{Path: path, Data: []byte(content), Mode: 0o644, Owner: OwnerUser}
}

// secret returns 32 random bytes as text that needs no quoting in env files, URLs, JSON and shells.
func secret(source io.Reader) (string, error) {
	b := make([]byte, secretBytes)
	if _, err := io.ReadFull(source, b); err != nil {
		return "", fmt.Errorf("generate a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// encryptionKey names the key for data at rest. It is a key itself, not text to derive one from.
const encryptionKey = "ENCRYPTION_KEY"

// key returns 32 random bytes in standard base64, which every language's library reads.
func key(source io.Reader) (string, error) {
	b := make([]byte, secretBytes)
	if _, err := io.ReadFull(source, b); err != nil {
		return "", fmt.Errorf("generate a key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

func envLocal(in ProjectInput) ([]byte, error) {
	source := in.Secrets
	if source == nil {
		source = rand.Reader
	}
	var b bytes.Buffer
	b.WriteString("# Switches and secrets of this machine. Git ignores this file; its values win over .env.\n")
	var errs []error
	for _, s := range []struct{ comment, key string }{
		{"The database's password. A database that exists keeps the old one when this changes.", "POSTGRES_PASSWORD"},
		{"Full access to the GraphQL API; function services accept calls that carry it.", "HASURA_GRAPHQL_ADMIN_SECRET"},
		{"Signs and checks access tokens (HS256).", "HASURA_JWT_KEY"},
		{"", "REDIS_PASSWORD"},
		{"S3-compatible storage; runs when MINIO_ENABLED=true.", "MINIO_ROOT_PASSWORD"},
		{"Encrypts what handlers must be able to read again. What is encrypted is lost with it: keep a copy.", encryptionKey},
	} {
		value, err := secret(source)
		if s.key == encryptionKey {
			value, err = key(source)
		}
		errs = append(errs, err)
		b.WriteString("\n")
		if s.comment != "" {
			b.WriteString("# " + s.comment + "\n")
		}
		b.WriteString(s.key + "=" + value + "\n")
	}
	b.WriteString("\n# Function services\n")
	for _, name := range runtimeNames {
		prefix := ""
		if !slices.Contains(in.Runtimes, name) {
			prefix = "# "
		}
		key := strings.ToUpper(name)
		fmt.Fprintf(&b, "%s%s_ENABLED=true\n%s%s_PORT=%d\n", prefix, key, prefix, key, runtimePorts[name])
	}
	return b.Bytes(), errors.Join(errs...)
}

func envDefaults(name string) string {
	return `# Defaults that everyone on the project shares: commit this file, and keep secrets out of it.
# A value is looked up in the process environment, .env.local, .env.$ENV (such as .env.prod), then here.
# "nself config show" prints every setting with its origin.

# Names containers, volumes and the network.
PROJECT_NAME=` + name + `
# dev, staging or prod.
ENV=dev

# Ports on this host. Change one when something else holds it.
POSTGRES_PORT=5432
REDIS_PORT=6379
HASURA_PORT=8080
MAILPIT_SMTP_PORT=1025
MAILPIT_UI_PORT=8025

POSTGRES_DB=` + strings.ReplaceAll(name, "-", "_") + `
POSTGRES_USER=postgres

# The role of requests without a token or admin secret. Without it they are refused.
HASURA_GRAPHQL_UNAUTHORIZED_ROLE=public

# Sender of the mails that handlers send. In development they end in the mail catcher.
EMAIL_FROM=noreply@localhost

# Calls of one action by one user: so many in so many seconds.
RATE_LIMIT_POINTS=5
RATE_LIMIT_DURATION=60
`
}

// gitignore keeps the manifest in git: it is how a build on another machine tells a user's edit from its own output.
const gitignore = `# Secrets and switches of one machine
.env.local
.env.*.local

# nself: runtime state, logs, data, backups. What nself wrote (manifest.json, base) is committed.
.nself/*
!.nself/manifest.json
!.nself/base/

# Function services
node_modules/
dist/
.venv/
__pycache__/
.pytest_cache/
`

// MergeGitignore adds the lines of ours that the user's file lacks to its end. The user's lines stay as they are.
func MergeGitignore(theirs, ours []byte) []byte {
	has := map[string]bool{}
	for line := range bytes.Lines(theirs) {
		has[string(bytes.TrimSpace(line))] = true
	}
	var missing bytes.Buffer
	for line := range bytes.Lines(ours) {
		if text := string(bytes.TrimSpace(line)); text != "" && !has[text] {
			missing.WriteString(text + "\n")
		}
	}
	// Comments alone say nothing.
	if !slices.ContainsFunc(strings.Split(missing.String(), "\n"), func(s string) bool { return s != "" && s[0] != '#' }) {
		return theirs
	}
	merged := bytes.Clone(theirs)
	if len(merged) > 0 && merged[len(merged)-1] != '\n' {
		merged = append(merged, '\n')
	}
	if len(merged) > 0 {
		merged = append(merged, '\n')
	}
	return append(merged, missing.Bytes()...)
}

func readme(in ProjectInput) string {
	var b strings.Builder
	b.WriteString("# " + in.Name + "\n\n" + `A GraphQL backend: Hasura, Postgres, Redis, and function services that answer Hasura Actions.

` + "```sh" + `
nself build     # make the generated files match .env and hasura/metadata
nself up        # start everything and print the addresses
nself status    # what runs
nself logs -f   # what it says
nself down      # stop; data stays
` + "```" + `

| what | where |
| --- | --- |
| settings that the team shares | ` + "`.env`" + ` |
| secrets and switches of one machine (not in git) | ` + "`.env.local`" + ` |
| actions: GraphQL types, handlers, permissions | ` + "`hasura/metadata/actions.graphql`, `actions.yaml`" + ` |
| database migrations and seeds | ` + "`hasura/migrations/default`, `hasura/seeds/default`" + ` |
| handlers | ` + "`functions/`" + ` |
| containers (generated; changes go into ` + "`docker-compose.override.yml`" + `) | ` + "`docker-compose.yml`" + ` |

A new action: ` + "`nself action new placeOrder`" + `. What is wrong with this machine: ` + "`nself doctor`" + `.

A fresh clone has no ` + "`.env.local`" + `: it must at least set POSTGRES_PASSWORD, HASURA_GRAPHQL_ADMIN_SECRET,
HASURA_JWT_KEY and REDIS_PASSWORD.
`)
	return b.String()
}
