package scaffold

// hasuraProject renders the folder of a Hasura CLI v3 project, file by file as the CLI's own export writes an empty
// server.
func hasuraProject() []File {
	const (
		emptyList = "[]\n"
		emptyMap  = "{}\n"
	)
	files := []File{
		text("hasura/config.yaml", hasuraConfig),
		text("hasura/metadata/version.yaml", "version: 3\n"),
		// Empty, not a comment: the CLI hands the text to a GraphQL parser that wants a definition or nothing.
		text("hasura/metadata/actions.graphql", ""),
		text("hasura/metadata/actions.yaml", emptyActions),
		text("hasura/metadata/graphql_schema_introspection.yaml", "disabled_for_roles: []\n"),
		text("hasura/metadata/databases/databases.yaml", databases),
		text("hasura/metadata/databases/default/tables/tables.yaml", emptyList),
		text("hasura/migrations/default/1700000000000_init/up.sql", initUp),
		text("hasura/migrations/default/1700000000000_init/down.sql", initDown),
		text("hasura/seeds/default/.gitkeep", ""),
	}
	for _, name := range []string{
		"allow_list", "cron_triggers", "inherited_roles", "query_collections", "remote_schemas", "rest_endpoints",
	} {
		files = append(files, text("hasura/metadata/"+name+".yaml", emptyList))
	}
	for _, name := range []string{"api_limits", "backend_configs", "metrics_config", "network", "opentelemetry"} {
		files = append(files, text("hasura/metadata/"+name+".yaml", emptyMap))
	}
	return files
}

const hasuraConfig = `# For the Hasura CLI. It reads the admin secret from HASURA_GRAPHQL_ADMIN_SECRET, so none stands here.
version: 3
endpoint: http://localhost:8080
metadata_directory: metadata
migrations_directory: migrations
seeds_directory: seeds
actions:
  kind: synchronous
  handler_webhook_baseurl: http://localhost:3003/actions
`

const emptyActions = `actions: []
custom_types:
  enums: []
  input_objects: []
  objects: []
  scalars: []
`

const databases = `- name: default
  kind: postgres
  configuration:
    connection_info:
      database_url:
        from_env: HASURA_GRAPHQL_DATABASE_URL
      isolation_level: read-committed
      pool_settings:
        connection_lifetime: 600
        max_connections: 50
        retries: 1
      use_prepared_statements: true
  tables: "!include default/tables/tables.yaml"
`

const initUp = `-- gen_random_uuid() is built in since Postgres 13; pgcrypto adds crypt(), digest() and the rest.
CREATE EXTENSION IF NOT EXISTS pgcrypto;

-- Keeps updated_at current:
--   CREATE TRIGGER set_updated_at BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE OR REPLACE FUNCTION set_updated_at() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END;
$$;
`

const initDown = `DROP FUNCTION IF EXISTS set_updated_at();
-- pgcrypto stays: something else may have created it, and dropping it could take columns along.
`
