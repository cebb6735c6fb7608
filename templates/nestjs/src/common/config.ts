/** What this service reads from its environment. It does not change after {@link loadConfig}. */
export class Config {
  /** The address to listen on (LISTEN_HOST); empty: all of the machine's. */
  listenHost = '';
  /** The TCP port to listen on (PORT, 3001). */
  port = 3001;
  /** "dev", "staging", "prod" or a name of your own (ENV, dev). */
  env = 'dev';
  /** The least severe level that is logged (LOG_LEVEL, info). */
  logLevel: LogLevel = 'info';
  /** Prefixes the keys in Redis, so that projects can share one (PROJECT_NAME, app). */
  projectName = 'app';
  /** Where browsers reach this service, without a slash at the end (PUBLIC_URL, http://localhost:PORT). */
  publicUrl = '';
  /** What the GraphQL engine proves itself with (HASURA_ADMIN_SECRET, else HASURA_GRAPHQL_ADMIN_SECRET). */
  adminSecret = '';
  /** The engine's API, for handlers that call back (HASURA_GRAPHQL_ENDPOINT); may be empty. */
  graphqlEndpoint = '';
  /**
   * The role of visitors who did not sign in (HASURA_GRAPHQL_UNAUTHORIZED_ROLE, public). The engine lets such visitors
   * invent session variables, so nothing but the role is to be believed of them.
   */
  unauthorizedRole = 'public';
  /** The Postgres connection string (DATABASE_URL). */
  databaseUrl = '';
  /** The Redis connection string (REDIS_URL); empty: no cache and no rate limit. */
  redisUrl = '';
  smtp: SmtpConfig = { host: '', port: 1025, user: '', password: '', from: '' };
  rateLimit: RateLimitConfig = { points: 5, rolePoints: 300, durationSeconds: 60 };
  /** All variables, for {@link Config.section}. */
  environment: Environment = {};

  /**
   * Reads the variables of one part of the service, in its constructor: the service then refuses to start with a value
   * that cannot be used. The error tells all problems of the part.
   */
  section<T>(read: (variables: Reader) => T): T {
    const reader = new Reader(this.environment);
    const values = read(reader);
    reader.check();
    return values;
  }
}

export interface SmtpConfig {
  /** SMTP_HOST; empty: mail cannot be sent, and every attempt is an error. */
  host: string;
  /** SMTP_PORT, 1025; 465 means TLS from the first byte. */
  port: number;
  /** SMTP_USER; empty: no authentication. */
  user: string;
  /** SMTP_PASS. */
  password: string;
  /** EMAIL_FROM, such as "Shop <no-reply@shop.example>". */
  from: string;
}

export interface RateLimitConfig {
  /** RATE_LIMIT_POINTS, 5: calls of one action by one user in durationSeconds. */
  points: number;
  /** RATE_LIMIT_ROLE_POINTS, 300: calls by all callers of one role that have no user id, together. */
  rolePoints: number;
  /** RATE_LIMIT_DURATION, 60. */
  durationSeconds: number;
}

const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

type Environment = Record<string, string | undefined>;

/**
 * Reads the configuration. An empty variable counts as absent. The error tells all problems, one a line, so that one
 * failed start is enough to mend them all; it names variables and never prints a secret value.
 */
export function loadConfig(environment: Environment = process.env): Config {
  const read = new Reader(environment);
  const config = new Config();
  config.environment = environment;
  config.listenHost = read.text('LISTEN_HOST', '');
  config.port = read.integer('PORT', 3001, 1, 65535);
  config.env = read.text('ENV', 'dev');
  config.logLevel = read.level('LOG_LEVEL');
  config.projectName = read.text('PROJECT_NAME', 'app');
  config.adminSecret = read.secret('HASURA_ADMIN_SECRET', 'HASURA_GRAPHQL_ADMIN_SECRET');
  config.graphqlEndpoint = read.url('HASURA_GRAPHQL_ENDPOINT', '', 'http', 'https');
  config.unauthorizedRole = read.text('HASURA_GRAPHQL_UNAUTHORIZED_ROLE', 'public');
  config.databaseUrl = read.url('DATABASE_URL', undefined, 'postgres', 'postgresql');
  config.redisUrl = read.url('REDIS_URL', '', 'redis', 'rediss', 'unix');
  config.smtp = {
    host: read.text('SMTP_HOST', ''),
    port: read.integer('SMTP_PORT', 1025, 1, 65535),
    user: read.text('SMTP_USER', ''),
    password: read.text('SMTP_PASS', ''),
    from: read.address('EMAIL_FROM', 'no-reply@localhost'),
  };
  config.rateLimit = {
    points: read.integer('RATE_LIMIT_POINTS', 5, 1, 1_000_000),
    rolePoints: read.integer('RATE_LIMIT_ROLE_POINTS', 300, 1, 1_000_000),
    durationSeconds: read.integer('RATE_LIMIT_DURATION', 60, 1, 86_400),
  };
  config.publicUrl = read.url('PUBLIC_URL', `http://localhost:${config.port}`, 'http', 'https').replace(/\/+$/, '');
  read.check();
  return config;
}

/** Turns variables into values and collects what is wrong with them. */
export class Reader {
  readonly problems: string[] = [];

  constructor(private readonly environment: Environment) {}

  /** Fails when there was a problem. */
  check(): void {
    if (this.problems.length > 0) {
      throw new Error(`read the environment: ${this.problems.join('\n')}`);
    }
  }

  text(key: string, fallback: string): string {
    return this.environment[key]?.trim() || fallback;
  }

  secret(...keys: [string, ...string[]]): string {
    for (const key of keys) {
      const value = this.environment[key];
      if (value) {
        return value;
      }
    }
    this.problems.push(`${keys[0]} is not set`);
    return '';
  }

  integer(key: string, fallback: number, least: number, most: number): number {
    const value = this.text(key, '');
    if (value === '') {
      return fallback;
    }
    const n = Number(value);
    if (!/^[+-]?\d+$/.test(value) || n < least || n > most) {
      this.problems.push(`${key} must be a whole number from ${least} to ${most}, got "${value}"`);
      return fallback;
    }
    return n;
  }

  level(key: string): LogLevel {
    const value = this.text(key, 'info');
    const level = logLevels.find((known) => known === value.toLowerCase());
    if (level === undefined) {
      this.problems.push(`${key} must be debug, info, warn or error, got "${value}"`);
    }
    return level ?? 'info';
  }

  /** Checks a connection string without ever printing it: it may hold a password. */
  url(key: string, fallback: string | undefined, ...schemes: string[]): string {
    const value = this.text(key, fallback ?? '');
    if (value === '') {
      if (fallback === undefined) {
        this.problems.push(`${key} is not set`);
      }
      return '';
    }
    if (!schemes.some((scheme) => value.startsWith(`${scheme}://`))) {
      this.problems.push(`${key} must begin with ${schemes.join(':// or ')}://`);
    }
    return value;
  }

  address(key: string, fallback: string): string {
    const value = this.text(key, fallback);
    if (!/^(?:[^<>\r\n]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/.test(value)) {
      this.problems.push(`${key} must be an email address, got "${value}"`);
    }
    return value;
  }
}
