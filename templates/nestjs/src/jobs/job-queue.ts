import { Injectable, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import type { Job as Entry, Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';

import { Config } from '../common/config';
import { Database, type Queryable } from '../common/database';
import { Lifecycle } from '../common/lifecycle';
import { Logger } from '../common/logger';
import { connectRedis } from '../common/redis';
import { Tracing } from '../common/tracing';
import { JobRunner } from './job-runner';
import type { JobHandler } from './job-run';

const queueName = 'jobs';

/**
 * A worker renews its hold on a job all the while. One that was killed loses it after lockMs, and the next look after
 * that gives the job to another worker: within half a minute of a restart.
 */
const lockMs = 15_000;
const stalledLookMs = 10_000;

/** How often jobs are looked for that Redis does not know of. */
const sweepMs = 60_000;
const sweepSize = 1000;

/** How long a running job may take to notice that the service stops. */
const stopMs = 5000;

/**
 * Carries jobs to the workers of this service through BullMQ. A job is a row in Postgres first; Redis gets its id after
 * the commit. What Redis does not get, or forgets, a sweep adds as soon as Redis is there, and every minute. Without REDIS_URL no job
 * is worked on.
 */
@Injectable()
export class JobQueue implements OnModuleDestroy, OnApplicationShutdown {
  private readonly settings: { concurrency: number; maxAttempts: number };
  private readonly prefix: string;
  private readonly redisUrl: string;
  private connection: Redis | null = null;
  private queue: Queue | null = null;
  private worker: Worker | null = null;
  private timer: NodeJS.Timeout | null = null;
  private starting: Promise<void> = Promise.resolve();
  private sweeping: Promise<void> = Promise.resolve();
  private stopping = false;

  constructor(
    config: Config,
    lifecycle: Lifecycle,
    private readonly database: Database,
    private readonly runner: JobRunner,
    private readonly tracing: Tracing,
    private readonly logger: Logger,
  ) {
    this.settings = config.section((variables) => ({
      concurrency: variables.integer('JOB_CONCURRENCY', 2, 1, 64),
      maxAttempts: variables.integer('JOB_MAX_ATTEMPTS', 5, 1, 100),
    }));
    this.prefix = `${config.projectName}:nestjs`;
    this.redisUrl = config.redisUrl;
    lifecycle.whenServing(() => {
      this.starting = this.start().catch((error: unknown) => this.logger.error('jobs are not worked on', { error }));
    });
  }

  /** Names who does the jobs of a kind. Call it in the constructor. */
  handle(kind: string, handler: JobHandler): void {
    this.runner.handlers.set(kind, handler);
  }

  /** Stores a job and sends it to a worker. Returns its id. */
  async add(kind: string, userId: string | null, payload: Record<string, unknown>): Promise<string> {
    const ids = await this.database.transaction((tx) => this.store(tx, kind, userId, [payload]));
    this.announce(ids);
    return ids[0] ?? '';
  }

  /** Stores jobs in a transaction; call {@link announce} with their ids after the commit. */
  async store(
    tx: Queryable,
    kind: string,
    userId: string | null,
    payloads: Record<string, unknown>[],
  ): Promise<string[]> {
    const { rows } = await tx.query<{ id: string }>(
      `INSERT INTO public.jobs (kind, user_id, payload, max_attempts, runtime)
       SELECT $1, $2, payload, $4, 'nestjs' FROM jsonb_array_elements($3::jsonb) AS payload RETURNING id`,
      [kind, userId, JSON.stringify(payloads), this.settings.maxAttempts],
    );
    return rows.map((row) => row.id);
  }

  /**
   * Tells the workers of jobs, whose spans become part of the caller's trace. Nobody has to wait for it: what is lost
   * here, a sweep finds, which knows of no trace.
   */
  announce(ids: string[]): void {
    this.send(ids, this.tracing.headers()).catch((error: unknown) =>
      this.logger.warn('jobs wait for the next sweep', { error }),
    );
  }

  /** Takes no more jobs, and has those that run put back. */
  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    if (this.timer !== null) {
      clearInterval(this.timer);
    }
    await this.starting;
    this.runner.stop();
    await this.inTime(this.worker?.close());
  }

  async onApplicationShutdown(): Promise<void> {
    await this.inTime(this.queue?.close());
    this.connection?.disconnect();
  }

  /** Waits for what Redis, if it is down, may keep from ever coming. */
  private async inTime(work: Promise<unknown> | undefined): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, stopMs);
    });
    try {
      await Promise.race([work, late]);
    } catch (error) {
      this.logger.warn('close the job queue', { error });
    } finally {
      clearTimeout(timer);
    }
  }

  private async start(): Promise<void> {
    if (this.redisUrl === '') {
      this.logger.warn('jobs are not worked on: REDIS_URL is not set');
      return;
    }
    const { Queue, Worker, DelayedError } = await import('bullmq');
    if (this.stopping) {
      return;
    }
    // The worker waits for new jobs, and for a Redis that is down, as long as it takes.
    const connection = connectRedis(this.redisUrl, { maxRetriesPerRequest: null });
    connection.on('error', (error) => this.logger.warn('redis client of the jobs', { error }));
    connection.on('ready', () => this.sweep());
    this.connection = connection;
    const options = { connection, prefix: this.prefix };
    this.queue = new Queue(queueName, options);
    this.queue.on('error', (error) => this.logger.warn('job queue', { error }));
    const work = async (entry: Entry, token?: string): Promise<void> => {
      const outcome = await this.runner.run(entry.id ?? '', entry.data as Record<string, string>);
      if (outcome.again) {
        await entry.moveToDelayed(Date.now() + outcome.delayMs, token);
        throw new DelayedError();
      }
    };
    this.worker = new Worker(queueName, work, {
      ...options,
      concurrency: this.settings.concurrency,
      lockDuration: lockMs,
      stalledInterval: stalledLookMs,
      maxStalledCount: Number.MAX_SAFE_INTEGER, // the row counts attempts
    });
    this.worker.on('error', (error) => this.logger.warn('job worker', { error }));
    this.timer = setInterval(() => this.sweep(), sweepMs);
  }

  /** Adds the jobs to Redis that should be there. For those that are, it does nothing. */
  private sweep(): void {
    this.sweeping = this.sweeping
      .then(() => this.sweepOnce())
      .catch((error: unknown) => this.logger.warn('sweep jobs', { error }));
  }

  private async sweepOnce(): Promise<void> {
    for (let last = '00000000-0000-0000-0000-000000000000'; last !== '' && !this.stopping;) {
      const { rows } = await this.database.query<{ id: string }>(
        `SELECT id FROM public.jobs
         WHERE runtime = 'nestjs' AND kind = ANY($1) AND status IN ('QUEUED', 'RUNNING') AND id > $2
         ORDER BY id LIMIT ${sweepSize}`,
        [[...this.runner.handlers.keys()], last],
      );
      await this.send(
        rows.map((row) => row.id),
        {},
      );
      last = rows.length < sweepSize ? '' : (rows.at(-1)?.id ?? '');
    }
  }

  /** Before the connection is there it does nothing: as soon as it is, there is a sweep. */
  private async send(ids: string[], data: Record<string, string>): Promise<void> {
    if (this.connection?.status !== 'ready' || this.stopping) {
      return;
    }
    for (let at = 0; at < ids.length; at += sweepSize) {
      await this.queue?.addBulk(
        ids.slice(at, at + sweepSize).map((jobId) => ({
          name: 'job',
          data,
          opts: { jobId, removeOnComplete: true, removeOnFail: true },
        })),
      );
    }
  }
}
