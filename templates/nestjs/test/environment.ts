import 'reflect-metadata';

import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';

import type { Type } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Client } from 'pg';

import { createApp, stopApp } from '../src/app';
import { type Config, loadConfig } from '../src/common/config';
import { Lifecycle } from '../src/common/lifecycle';
import { createLogger } from '../src/common/logger';
import { redisTimeouts } from '../src/common/redis';

export const secret = 'test-secret';

/**
 * Describes tests that need the Postgres of DATABASE_URL. Without it they are skipped, or fail where CI is set. They use
 * the Redis of REDIS_URL where that is set too.
 */
export const describeWithServers: typeof describe.skip = (() => {
  if (process.env.DATABASE_URL) {
    return describe;
  }
  if (process.env.CI) {
    throw new Error('DATABASE_URL is not set: the tests of the whole service have no Postgres');
  }
  return describe.skip;
})();

export const hasRedis = Boolean(process.env.REDIS_URL);

// On a machine that is busy an answer may take longer than a call waits for it; no call would be limited then.
Object.assign(redisTimeouts, { connectTimeout: 60_000, commandTimeout: 60_000 });

/** The answer of an action. */
export interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** The whole service, with a database, a mailbox and keys in Redis of its own. */
export class TestService {
  url = '';
  private app: NestExpressApplication | null = null;
  private readonly lines: string[] = [];

  private constructor(
    readonly database: Client,
    readonly mailbox: Mailbox,
    private readonly config: Config,
    private readonly drop: () => Promise<void>,
  ) {}

  /** Starts the service, with further variables or a changed configuration. */
  static async start(
    variables: Record<string, string> = {},
    change: (config: Config) => void = () => undefined,
  ): Promise<TestService> {
    const { url, drop } = await createDatabase();
    const mailbox = await Mailbox.start();
    const config = loadConfig({
      DATABASE_URL: url,
      REDIS_URL: process.env.REDIS_URL,
      HASURA_ADMIN_SECRET: secret,
      PROJECT_NAME: `test-${randomBytes(6).toString('hex')}`,
      SMTP_HOST: '127.0.0.1',
      SMTP_PORT: String(mailbox.port),
      EMAIL_FROM: 'Shop <no-reply@shop.test>',
      PUBLIC_URL: 'http://service.test',
      LOG_LEVEL: 'debug',
      ...variables,
    });
    change(config);
    const database = new Client({ connectionString: url });
    await database.connect();
    const service = new TestService(database, mailbox, config, drop);
    await service.serve();
    return service;
  }

  /** Starts to serve, also again after {@link stopServing}. */
  async serve(): Promise<void> {
    const logger = createLogger(this.config.logLevel, { write: (line) => void this.lines.push(line) });
    this.app = await createApp(this.config, logger);
    await this.app.listen(0, '127.0.0.1');
    this.app.get(Lifecycle).serving();
    const { port } = (this.app.getHttpServer() as Server).address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Ends the service; its database and its mailbox stay. */
  async stopServing(): Promise<void> {
    if (this.app !== null) {
      await stopApp(this.app, 30_000); // a machine that is busy needs seconds to stop the workers of jobs
    }
    this.app = null;
  }

  /** One of the service's own parts. */
  get<T>(part: Type<T>): T {
    if (this.app === null) {
      throw new Error('the service does not run');
    }
    return this.app.get(part);
  }

  get log(): string {
    return this.lines.join('');
  }

  /** Calls an action with the admin secret, unless the headers say otherwise. */
  async post(action: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(`${this.url}/actions/${action}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Hasura-Admin-Secret': secret, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Record<string, unknown>,
    };
  }

  async stop(): Promise<void> {
    await this.stopServing();
    await this.database.end();
    this.mailbox.stop();
    await this.drop();
  }
}

/** Makes an empty database with the project's migrations applied. */
async function createDatabase(): Promise<{ url: string; drop: () => Promise<void> }> {
  const server = process.env.DATABASE_URL ?? '';
  const name = `test_${randomBytes(8).toString('hex')}`;
  await run(server, `CREATE DATABASE ${name}`);
  const url = server.replace(/^([^:]+:\/\/[^/]*\/)[^?]*/, `$1${name}`);
  for (const sql of migrations()) {
    await run(url, sql);
  }
  return { url, drop: () => run(server, `DROP DATABASE ${name} WITH (FORCE)`) };
}

async function run(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Reads every up.sql of the project, oldest first. The project is a folder above this one. */
function migrations(): string[] {
  for (let dir = __dirname; dir !== dirname(dir); dir = dirname(dir)) {
    const folder = join(dir, 'hasura', 'migrations', 'default');
    if (existsSync(folder)) {
      return readdirSync(folder)
        .sort()
        .map((name) => join(folder, name, 'up.sql'))
        .filter((file) => existsSync(file))
        .map((file) => readFileSync(file, 'utf8'));
    }
  }
  throw new Error('no folder above has hasura/migrations/default');
}

/** An SMTP server that keeps what it receives. */
export class Mailbox {
  readonly messages: string[] = [];
  private lastPort = 0;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Mailbox> {
    const server = createServer();
    const mailbox = new Mailbox(server);
    server.on('connection', (socket) => mailbox.receive(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return mailbox;
  }

  get port(): number {
    this.lastPort = (this.server.address() as AddressInfo).port;
    return this.lastPort;
  }

  stop(): void {
    this.server.close();
  }

  /** Listens again, where it did before. */
  async restart(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(this.lastPort, '127.0.0.1', resolve));
  }

  /** Speaks as much SMTP as a client without authentication needs. */
  private receive(socket: Socket): void {
    let pending = '';
    let message: string[] | undefined;
    socket.on('error', () => socket.destroy());
    socket.write('220 test\r\n');
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (pending + chunk).split('\r\n');
      pending = lines.pop() ?? '';
      for (const line of lines) {
        if (message !== undefined && line === '.') {
          this.messages.push(message.join('\r\n'));
          message = undefined;
          socket.write('250 kept\r\n');
        } else if (message !== undefined) {
          message.push(line.replace(/^\./, ''));
        } else if (/^data/i.test(line)) {
          message = [];
          socket.write('354 go on\r\n');
        } else if (/^quit/i.test(line)) {
          socket.end('221 bye\r\n');
        } else {
          socket.write('250 fine\r\n');
        }
      }
    });
  }
}
