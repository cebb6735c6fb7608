package env

import (
	"strconv"
	"strings"
	"time"
)

// The images that run when the user names no others. Each is a tag that does not move.
const (
	postgresTag = "16.15-alpine"
	redisTag    = "7.4.9-alpine"
	hasuraTag   = "v2.48.6"
	mailpitTag  = "v1.29"
	minioTag    = "RELEASE.2025-04-22T22-12-26Z"
)

func projectKeys() []Key {
	return []Key{
		{
			Name: "ENV", Group: GroupProject, Kind: KindText, Default: Dev, Pass: true,
			Doc: "Environment that the project runs in; names the file .env.$ENV", Rule: "dev, staging or prod",
			check: checkEnvName, store: func(c *Config, s string) { c.Env = normalEnv(s) },
		},
		{
			Name: "PROJECT_NAME", Group: GroupProject, Kind: KindText, Default: "name of the project's folder", Pass: true,
			Doc:  "Prefix of containers, volumes and networks",
			Rule: "2 to 30 of a-z, 0-9 and -, with a letter or digit at both ends", check: checkProjectName,
			fallback: func(c *Config) string { return projectNameOf(c.Dir) },
			store:    func(c *Config, s string) { c.ProjectName = s },
		},
		{
			Name: "BASE_DOMAIN", Group: GroupProject, Kind: KindText, Default: "localhost", Pass: true,
			Doc: "Domain of the project, used for the sender of mail", Rule: "a host name", check: checkHost,
			store: func(c *Config, s string) { c.BaseDomain = s },
		},
		{
			Name: "LOG_LEVEL", Group: GroupProject, Kind: KindText, Default: "info", Pass: true,
			Doc: "How much the services log", Rule: "debug, info, warn or error", check: checkLogLevel,
			store: func(c *Config, s string) { c.LogLevel = strings.ToLower(s) },
		},
		{
			Name: "IMAGE_REGISTRY", Group: GroupProject, Kind: KindText,
			Doc:  "Registry and path put before the name of every default image",
			Rule: "a registry such as registry.example.com/mirror", check: checkImage,
			store: func(c *Config, s string) { c.ImageRegistry = strings.TrimSuffix(s, "/") },
		},
	}
}

func postgresKeys() []Key {
	keys := []Key{
		portKey("POSTGRES_PORT", GroupPostgres, 5432, "Port of Postgres on this machine",
			func(c *Config) *int { return &c.Postgres.Port }),
		{
			Name: "POSTGRES_DB", Group: GroupPostgres, Kind: KindText, Default: "PROJECT_NAME with _ for -",
			Doc: "Database that the project uses", Rule: ruleIdentifier, check: checkIdentifier,
			fallback: func(c *Config) string { return strings.ReplaceAll(c.ProjectName, "-", "_") },
			store:    func(c *Config, s string) { c.Postgres.DB = s },
		},
		{
			Name: "POSTGRES_USER", Group: GroupPostgres, Kind: KindText, Default: "postgres",
			Doc: "Owner of the database", Rule: ruleIdentifier, check: checkIdentifier,
			store: func(c *Config, s string) { c.Postgres.User = s },
		},
		{
			Name: "POSTGRES_PASSWORD", Group: GroupPostgres, Kind: KindText, Secret: true, Required: true,
			Doc: "Password of POSTGRES_USER", Rule: "in prod at least 16 characters, and no well-known one",
			store: func(c *Config, s string) { c.Postgres.Password = Secret(s) },
		},
		{
			Name: "NSELF_PG_BIN", Group: GroupPostgres, Kind: KindText,
			Doc:   "Folder with initdb and postgres, for running without Docker",
			store: func(c *Config, s string) { c.Postgres.BinDir = s },
		},
	}
	return append(keys, imageKeys("POSTGRES", GroupPostgres, "postgres", postgresTag,
		func(c *Config) *string { return &c.Postgres.Image })...)
}

func redisKeys() []Key {
	keys := []Key{
		boolKey("REDIS_ENABLED", GroupRedis, "true when a function service is enabled",
			"Run Redis: cache, rate limits and queues of function services",
			func(c *Config) bool { return c.Golang.Enabled || c.NestJS.Enabled || c.Python.Enabled },
			func(c *Config) *bool { return &c.Redis.Enabled }),
		portKey("REDIS_PORT", GroupRedis, 6379, "Port of Redis on this machine",
			func(c *Config) *int { return &c.Redis.Port }),
		{
			Name: "REDIS_PASSWORD", Group: GroupRedis, Kind: KindText, Secret: true,
			Doc: "Password of Redis; empty: none", Rule: "in prod at least 6 characters",
			store: func(c *Config, s string) { c.Redis.Password = Secret(s) },
		},
	}
	return append(keys, imageKeys("REDIS", GroupRedis, "redis", redisTag,
		func(c *Config) *string { return &c.Redis.Image })...)
}

func hasuraKeys() []Key {
	keys := []Key{
		portKey("HASURA_PORT", GroupHasura, 8080, "Port of the GraphQL engine and its console on this machine",
			func(c *Config) *int { return &c.Hasura.Port }),
		{
			Name: "HASURA_GRAPHQL_ADMIN_SECRET", Group: GroupHasura, Kind: KindText, Secret: true, Required: true,
			Doc:   "Secret that gives all rights; function services accept calls that carry it",
			Rule:  "in prod at least 32 characters, and no well-known one",
			store: func(c *Config, s string) { c.Hasura.AdminSecret = Secret(s) },
		},
		{
			Name: "HASURA_GRAPHQL_JWT_SECRET", Group: GroupHasura, Kind: KindText, Secret: true,
			Default: "built from HASURA_JWT_KEY when that is set", Doc: "How JSON web tokens are verified; empty: not accepted",
			Rule: `a JSON object with "type" and "key", or with "jwk_url"`, check: checkJWTSecret,
			fallback: func(*Config) string { return "" },
			store:    func(c *Config, s string) { c.Hasura.JWTSecret = Secret(s) },
		},
		{
			Name: "HASURA_JWT_KEY", Group: GroupHasura, Kind: KindText, Secret: true,
			Doc:  "Key of HASURA_GRAPHQL_JWT_SECRET, as an easier way to write it",
			Rule: "for HS256 at least 32 characters, HS384 48, HS512 64",
		},
		{
			Name: "HASURA_JWT_TYPE", Group: GroupHasura, Kind: KindText, Default: "HS256",
			Doc: "Type that belongs to HASURA_JWT_KEY", Rule: ruleJWTType, check: checkJWTType,
		},
		{
			Name: "HASURA_GRAPHQL_UNAUTHORIZED_ROLE", Group: GroupHasura, Kind: KindText,
			Doc:   "Role of callers without credentials; empty: they are refused",
			store: func(c *Config, s string) { c.Hasura.UnauthorizedRole = s },
		},
		{
			Name: "HASURA_GRAPHQL_CORS_DOMAIN", Group: GroupHasura, Kind: KindText, Default: "*",
			Doc:   "Origins that browsers may call from, separated by commas",
			store: func(c *Config, s string) { c.Hasura.CORSDomain = s },
		},
		boolKey("HASURA_GRAPHQL_ENABLE_CONSOLE", GroupHasura, "true, in prod false", "Serve the console", notProd,
			func(c *Config) *bool { return &c.Hasura.EnableConsole }),
		boolKey("HASURA_GRAPHQL_DEV_MODE", GroupHasura, "true, in prod false", "Show details of errors to callers", notProd,
			func(c *Config) *bool { return &c.Hasura.DevMode }),
		boolKey("HASURA_GRAPHQL_ENABLE_TELEMETRY", GroupHasura, "false", "Let Hasura report usage to its makers", never,
			func(c *Config) *bool { return &c.Hasura.EnableTelemetry }),
	}
	return append(keys, imageKeys("HASURA", GroupHasura, "hasura/graphql-engine", hasuraTag,
		func(c *Config) *string { return &c.Hasura.Image })...)
}

func mailKeys() []Key {
	keys := []Key{
		boolKey("MAILPIT_ENABLED", GroupMail, "true in dev, else false", "Run a mail catcher with a page to read the mail",
			func(c *Config) bool { return c.Env == Dev }, func(c *Config) *bool { return &c.Mail.Enabled }),
		portKey("MAILPIT_SMTP_PORT", GroupMail, 1025, "Port where the mail catcher takes mail",
			func(c *Config) *int { return &c.Mail.SMTPPort }),
		portKey("MAILPIT_UI_PORT", GroupMail, 8025, "Port of the mail catcher's page",
			func(c *Config) *int { return &c.Mail.UIPort }),
		{
			Name: "SMTP_HOST", Group: GroupMail, Kind: KindText, Pass: true, Default: "the mail catcher when it is enabled",
			Doc: "Mail server that function services send through", Rule: "a host name", check: checkHost,
			fallback: func(*Config) string { return "" }, store: func(c *Config, s string) { c.Mail.SMTP.Host = s },
		},
		portKey("SMTP_PORT", GroupMail, 587, "Port of SMTP_HOST", func(c *Config) *int { return &c.Mail.SMTP.Port }),
		{
			Name: "SMTP_USER", Group: GroupMail, Kind: KindText, Pass: true, Doc: "Login at SMTP_HOST",
			store: func(c *Config, s string) { c.Mail.SMTP.User = s },
		},
		{
			Name: "SMTP_PASS", Group: GroupMail, Kind: KindText, Secret: true, Pass: true, Doc: "Password of SMTP_USER",
			store: func(c *Config, s string) { c.Mail.SMTP.Password = Secret(s) },
		},
		{
			Name: "EMAIL_FROM", Group: GroupMail, Kind: KindText, Pass: true, Default: "noreply@BASE_DOMAIN",
			Doc: "Sender of mail", Rule: "an address, or a name and an address", check: checkAddress,
			fallback: func(c *Config) string { return "noreply@" + c.BaseDomain },
			store:    func(c *Config, s string) { c.Mail.From = s },
		},
	}
	return append(keys, imageKeys("MAILPIT", GroupMail, "axllent/mailpit", mailpitTag,
		func(c *Config) *string { return &c.Mail.Image })...)
}

func storageKeys() []Key {
	keys := []Key{
		boolKey("MINIO_ENABLED", GroupStorage, "false", "Run MinIO, an S3-compatible store", never,
			func(c *Config) *bool { return &c.Minio.Enabled }),
		portKey("MINIO_PORT", GroupStorage, 9000, "Port of MinIO on this machine",
			func(c *Config) *int { return &c.Minio.Port }),
		portKey("MINIO_CONSOLE_PORT", GroupStorage, 9001, "Port of MinIO's console",
			func(c *Config) *int { return &c.Minio.ConsolePort }),
		{
			Name: "MINIO_ROOT_USER", Group: GroupStorage, Kind: KindText, Default: "minioadmin", Doc: "Login of MinIO",
			store: func(c *Config, s string) { c.Minio.RootUser = s },
		},
		{
			Name: "MINIO_ROOT_PASSWORD", Group: GroupStorage, Kind: KindText, Secret: true,
			Default: "minioadmin in dev, else none", Doc: "Password of MINIO_ROOT_USER", Rule: "at least 8 characters",
			fallback: func(c *Config) string {
				if c.Env == Dev {
					return "minioadmin"
				}
				return ""
			},
			check: checkMinioPassword, store: func(c *Config, s string) { c.Minio.RootPassword = Secret(s) },
		},
		{
			Name: "S3_ENDPOINT", Group: GroupStorage, Kind: KindURL, Pass: true, Default: "MinIO when it is enabled",
			Doc: "S3-compatible store of function services; empty: the local disk", fallback: func(*Config) string { return "" },
		},
		{
			Name: "S3_PUBLIC_ENDPOINT", Group: GroupStorage, Kind: KindURL, Pass: true,
			Default: "MinIO's port on this machine, or S3_ENDPOINT",
			Doc:     "S3_ENDPOINT as browsers reach it: links to files are signed for it", fallback: func(*Config) string { return "" },
		},
		{
			Name: "STORAGE_DIR", Group: GroupStorage, Kind: KindText, Pass: true, Default: ".nself/data/storage, or a volume",
			Doc: "Folder where function services keep files when there is no S3_ENDPOINT",
		},
		{Name: "S3_BUCKET", Group: GroupStorage, Kind: KindText, Pass: true, Doc: "Bucket in S3_ENDPOINT"},
		{Name: "S3_REGION", Group: GroupStorage, Kind: KindText, Pass: true, Doc: "Region of S3_BUCKET"},
		{Name: "S3_ACCESS_KEY", Group: GroupStorage, Kind: KindText, Secret: true, Pass: true, Doc: "Login at S3_ENDPOINT"},
		{
			Name: "S3_SECRET_KEY", Group: GroupStorage, Kind: KindText, Secret: true, Pass: true,
			Doc: "Secret that belongs to S3_ACCESS_KEY",
		},
	}
	return append(keys, imageKeys("MINIO", GroupStorage, "minio/minio", minioTag,
		func(c *Config) *string { return &c.Minio.Image })...)
}

func functionKeys() []Key {
	var keys []Key
	for _, r := range []struct {
		prefix, label string
		port          int
		of            func(*Config) *Runtime
	}{
		{"NESTJS", "NestJS", 3001, func(c *Config) *Runtime { return &c.NestJS }},
		{"PYTHON", "Python", 3002, func(c *Config) *Runtime { return &c.Python }},
		{"GOLANG", "Go", 3003, func(c *Config) *Runtime { return &c.Golang }},
	} {
		keys = append(keys,
			boolKey(r.prefix+"_ENABLED", GroupFunctions, "false", "Run the "+r.label+" function service", never,
				func(c *Config) *bool { return &r.of(c).Enabled }),
			portKey(r.prefix+"_PORT", GroupFunctions, r.port, "Port of the "+r.label+" function service",
				func(c *Config) *int { return &r.of(c).Port }),
			Key{
				Name: r.prefix + "_IMAGE", Group: GroupFunctions, Kind: KindImage,
				Doc:   "Base image that the " + r.label + " service is built from; empty: the one in its Dockerfile",
				store: func(c *Config, s string) { r.of(c).Image = s },
			},
			Key{
				Name: r.prefix + "_URL", Group: GroupFunctions, Kind: KindURL, Default: "the service that nself runs",
				Doc:      "Where the engine calls the " + r.label + " handlers",
				fallback: func(*Config) string { return "" },
				store:    func(c *Config, s string) { r.of(c).URL = strings.TrimSuffix(s, "/") },
			},
			Key{
				Name: r.prefix + "_PUBLIC_URL", Group: GroupFunctions, Kind: KindURL,
				Default:  "PUBLIC_URL, else the port on localhost",
				Doc:      "Base URL of the " + r.label + " service in links that it hands out",
				fallback: func(*Config) string { return "" },
				store:    func(c *Config, s string) { r.of(c).PublicURL = strings.TrimSuffix(s, "/") },
			})
	}
	return append(keys,
		Key{
			Name: "PUBLIC_URL", Group: GroupFunctions, Kind: KindURL,
			Doc: "Base URL in links, for every service that has none of its own",
			store: func(c *Config, s string) {
				for _, r := range []*Runtime{&c.Golang, &c.NestJS, &c.Python} {
					if r.PublicURL == "" {
						r.PublicURL = strings.TrimSuffix(s, "/")
					}
				}
			},
		},
		Key{
			Name: "ENCRYPTION_KEY", Group: GroupFunctions, Kind: KindText, Secret: true, Pass: true,
			Doc: "Encrypts what function services must be able to read again, such as keys of a user's CRM; data that is " +
				"encrypted is lost with it", Rule: "32 bytes in base64", check: checkEncryptionKey,
		},
		Key{
			Name: "RATE_LIMIT_POINTS", Group: GroupFunctions, Kind: KindNumber, Default: "5", Pass: true,
			Doc:   "Calls that one user may make to an action in RATE_LIMIT_DURATION",
			store: func(c *Config, s string) { c.RateLimit.Points = number(s) },
		},
		Key{
			Name: "RATE_LIMIT_DURATION", Group: GroupFunctions, Kind: KindNumber, Default: "60", Pass: true,
			Doc:   "Length of the rate limit's window in seconds",
			store: func(c *Config, s string) { c.RateLimit.Duration = time.Duration(number(s)) * time.Second },
		},
	)
}

func portKey(name string, group Group, port int, doc string, field func(*Config) *int) Key {
	return Key{
		Name: name, Group: group, Kind: KindPort, Default: strconv.Itoa(port), Doc: doc, Pass: name == "SMTP_PORT",
		store: func(c *Config, s string) { *field(c) = number(s) },
	}
}

func boolKey(name string, group Group, fallback, doc string, value func(*Config) bool, field func(*Config) *bool) Key {
	return Key{
		Name: name, Group: group, Kind: KindBool, Default: fallback, Doc: doc,
		fallback: func(c *Config) string { return strconv.FormatBool(value(c)) },
		store: func(c *Config, s string) {
			*field(c), _ = parseBool(s)
		},
	}
}

// imageKeys are NAME_VERSION, the tag of the default image, and NAME_IMAGE, the whole image.
func imageKeys(name string, group Group, repository, tag string, field func(*Config) *string) []Key {
	return []Key{
		{
			Name: name + "_VERSION", Group: group, Kind: KindText, Default: tag, Doc: "Tag of the image " + repository,
			Rule: "an image tag such as " + tag, check: checkTag,
			store: func(c *Config, s string) {
				*field(c) = repository + ":" + s
				if c.ImageRegistry != "" {
					*field(c) = c.ImageRegistry + "/" + *field(c)
				}
			},
		},
		{
			Name: name + "_IMAGE", Group: group, Kind: KindImage,
			Default: repository + ":" + name + "_VERSION, after IMAGE_REGISTRY",
			Doc:     "Image to run, taken as it is written", fallback: func(c *Config) string { return *field(c) },
			store: func(c *Config, s string) { *field(c) = s },
		},
	}
}

func notProd(c *Config) bool { return c.Env != Prod }

func never(*Config) bool { return false }
