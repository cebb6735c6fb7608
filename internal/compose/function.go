package compose

import (
	"cmp"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/nself-org/nself/internal/env"
)

// URLVariable names the variable that metadata uses in the handlers of a runtime: "GOLANG_URL" for "golang".
func URLVariable(runtime string) string { return strings.ToUpper(runtime) + "_URL" }

// baseImage names the argument of every service's Dockerfile that replaces the image it is built from.
const baseImage = "BASE_IMAGE"

// Files that services keep are in a volume that all of them share, as they share a folder without containers. Its folder
// is in their images, so that it belongs to their user.
const (
	storageVolume = "storage_data"
	storageFolder = "/data/storage"
)

// function returns a function service without its health check, which depends on what its image has.
func function(cfg *env.Config, rt env.Runtime, l limits) service {
	c := harden(rt.Name, l)
	folder := "./functions/" + rt.Name
	c.Image = cfg.ProjectName + "-" + rt.Name
	c.Build = &types.BuildConfig{Context: folder}
	if rt.Image != "" {
		c.Build.Args = types.MappingWithEquals{baseImage: &rt.Image}
	}
	c.Develop = &types.DevelopConfig{Watch: []types.Trigger{{
		Path: folder, Action: types.WatchActionRebuild, Ignore: []string{"node_modules/", "dist/", ".venv/", "data/"},
	}}}
	c.Environment = public(map[string]string{
		"ENV":                     cfg.Env,
		"HASURA_GRAPHQL_ENDPOINT": address(hasuraName, hasuraPort) + "/v1/graphql",
		"PORT":                    strconv.Itoa(rt.Port),
		"PROJECT_NAME":            cfg.ProjectName,
		"STORAGE_DIR":             storageFolder,
	})
	c.Volumes = []types.ServiceVolumeConfig{named(storageVolume, storageFolder)}
	c.ExtraHosts = hostGateway()
	c.Ports = []types.ServicePortConfig{published(rt.Port, rt.Port)}
	c.DependsOn = needs(postgresName)
	if cfg.Redis.Enabled {
		maps.Copy(c.DependsOn, needs(redisName))
	}
	c.StopGracePeriod = duration(30 * time.Second)
	private := functionPrivate(cfg, rt)
	delete(private, "STORAGE_DIR") // a folder of this machine
	return service{config: c, volumes: []string{storageVolume}, private: private}
}

// functionPrivate returns the variables of a function service that are secret, or that the user may set.
func functionPrivate(cfg *env.Config, rt env.Runtime) map[string]string {
	vars := map[string]string{}
	maps.Copy(vars, cfg.Functions)
	vars["EMAIL_FROM"] = cfg.Mail.From
	vars["LOG_LEVEL"] = cfg.LogLevel
	vars["PUBLIC_URL"] = cmp.Or(rt.PublicURL, address("localhost", rt.Port))
	vars["RATE_LIMIT_POINTS"] = strconv.Itoa(cfg.RateLimit.Points)
	vars["RATE_LIMIT_DURATION"] = strconv.Itoa(int(cfg.RateLimit.Duration / time.Second))
	if cfg.Hasura.UnauthorizedRole != "" {
		vars["HASURA_GRAPHQL_UNAUTHORIZED_ROLE"] = cfg.Hasura.UnauthorizedRole
	}
	maps.Copy(vars, mailVariables(cfg))
	if cfg.Minio.Enabled && vars["S3_ENDPOINT"] == "" {
		vars["S3_ENDPOINT"] = address(minioName, minioPort)
		// Browsers know no names of containers.
		vars["S3_PUBLIC_ENDPOINT"] = cmp.Or(vars["S3_PUBLIC_ENDPOINT"], address("localhost", cfg.Minio.Port))
		vars["S3_ACCESS_KEY"] = cfg.Minio.RootUser
		vars["S3_SECRET_KEY"] = cfg.Minio.RootPassword.Reveal()
		vars["S3_REGION"] = cmp.Or(vars["S3_REGION"], "us-east-1")
		vars["S3_BUCKET"] = cmp.Or(vars["S3_BUCKET"], cfg.ProjectName)
	}
	// Addresses that are right on the host would be wrong inside the network.
	vars["DATABASE_URL"] = databaseURL(cfg)
	vars["REDIS_URL"] = redisURL(cfg)
	vars["HASURA_ADMIN_SECRET"] = cfg.Hasura.AdminSecret.Reveal()
	vars["HASURA_GRAPHQL_ADMIN_SECRET"] = cfg.Hasura.AdminSecret.Reveal()
	return vars
}

// mailVariables point at the user's mail server, else at the catcher, else nowhere.
func mailVariables(cfg *env.Config) map[string]string {
	switch smtp := cfg.Mail.SMTP; {
	case smtp.Host != "":
		return map[string]string{
			"SMTP_HOST": smtp.Host, "SMTP_PORT": strconv.Itoa(smtp.Port),
			"SMTP_USER": smtp.User, "SMTP_PASS": smtp.Password.Reveal(),
		}
	case cfg.Mail.Enabled:
		return map[string]string{
			"SMTP_HOST": mailpitName, "SMTP_PORT": strconv.Itoa(mailpitSMTPPort), "SMTP_USER": "", "SMTP_PASS": "",
		}
	default:
		return nil
	}
}
