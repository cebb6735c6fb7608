import { Injectable } from '@nestjs/common';

import { Config } from '../common/config';
import { Database } from '../common/database';
import { Logger } from '../common/logger';
import { withRequestContext } from '../common/request-context';
import { Tracing } from '../common/tracing';
import { JobError, JobInterrupted, JobLost, JobRun, type JobHandler } from './job-run';
import type { Job } from './jobs.service';

/** Whether a job is to be run again, and when. */
export type Outcome = { again: false } | { again: true; delayMs: number };

const done: Outcome = { again: false };

/** How often a worker says that it is alive; it learns then, too, whether its job was cancelled. */
const renewMs = 3000;

/** No wait between two attempts is longer. */
const maxDelayMs = 5 * 60_000;

// What the user learns of a job that was given up. The reason is in the log.
const gaveUp = 'The job failed';
const interruptedTooOften = 'The job was interrupted too often';

/**
 * Does one attempt at a job and keeps its row. Every change of the row asks for the state that it expects, so that of two
 * workers that hold the same job, as can happen when one was cut off for a while, only one has a say.
 */
@Injectable()
export class JobRunner {
  readonly handlers = new Map<string, JobHandler>();
  private readonly running = new Set<JobRun>();
  private readonly backoffMs: number;
  private stopping = false;

  constructor(
    config: Config,
    private readonly database: Database,
    private readonly logger: Logger,
    private readonly tracing: Tracing,
  ) {
    this.backoffMs = config.section((variables) => variables.integer('JOB_BACKOFF_SECONDS', 1, 0, 3600)) * 1000;
  }

  /** Tells the jobs that run to stop; they end at their next step. */
  stop(): void {
    this.stopping = true;
    for (const run of this.running) {
      run.stop();
    }
  }

  /**
   * Runs the job of this id, if it is one that is not final, in the trace of the headers. It fails only when the database
   * does.
   */
  async run(id: string, headers: Record<string, string>): Promise<Outcome> {
    const job = await this.claim(id);
    if (job === null) {
      return done;
    }
    const context = { requestId: `job-${id}`, traceId: '', notes: {} };
    return withRequestContext(context, () =>
      this.tracing.span(
        `job ${job.kind}`,
        { 'job.id': id, 'job.attempt': job.attempts },
        () => this.attempt(job),
        headers,
      ),
    );
  }

  private async attempt(job: Job): Promise<Outcome> {
    const facts = { kind: job.kind, attempt: job.attempts };
    const run = new JobRun(job, this.database);
    this.running.add(run);
    if (this.stopping) {
      run.stop();
    }
    const renewal = setInterval(() => {
      run.renew(null).catch((error: unknown) => this.logger.warn('job not renewed', { ...facts, error }));
    }, renewMs);
    try {
      const handler = this.handlers.get(job.kind);
      if (handler === undefined) {
        throw new Error(`no handler for jobs of kind ${job.kind}`);
      }
      run.signal.throwIfAborted();
      const start = performance.now();
      await this.succeed(job, await handler.run(run));
      this.logger.info('job done', { ...facts, duration_ms: Math.round(performance.now() - start) });
      return done;
    } catch (error) {
      this.tracing.fail();
      return await this.failed(job, run.signal.aborted ? run.signal.reason : error, facts);
    } finally {
      clearInterval(renewal);
      this.running.delete(run);
    }
  }

  private async failed(job: Job, error: unknown, facts: Record<string, unknown>): Promise<Outcome> {
    if (error instanceof JobLost) {
      this.logger.info('job left alone', facts);
      return done;
    }
    if (error instanceof JobInterrupted) {
      await this.giveBack(job);
      this.logger.info('job interrupted', facts);
      return { again: true, delayMs: 0 };
    }
    const message = error instanceof JobError ? error.message : gaveUp;
    if ((error instanceof JobError && error.final) || job.attempts >= job.max_attempts) {
      await this.fail(job, message);
      this.logger.error('job failed', { ...facts, error });
      return done;
    }
    const delayMs = Math.min(maxDelayMs, this.backoffMs * 2 ** (job.attempts - 1));
    await this.requeue(job, message);
    this.logger.warn('job will be tried again', { ...facts, delay_ms: delayMs, error });
    return { again: true, delayMs };
  }

  /** Takes the job for this worker. A row that says RUNNING had a worker that is gone: the queue gives a job to one. */
  private async claim(id: string): Promise<Job | null> {
    const { rows } = await this.database.query<Job>(
      `UPDATE public.jobs SET status = 'RUNNING', attempts = attempts + 1, started_at = coalesce(started_at, now()),
         updated_at = now()
       WHERE id = $1 AND (status = 'QUEUED' OR (status = 'RUNNING' AND attempts < max_attempts)) RETURNING *`,
      [id],
    );
    if (rows[0] !== undefined) {
      return rows[0];
    }
    const { rowCount } = await this.database.query(
      `UPDATE public.jobs SET status = 'FAILED', error = $2, finished_at = now(), updated_at = now()
       WHERE id = $1 AND status = 'RUNNING'`,
      [id, interruptedTooOften],
    );
    if (rowCount !== 0) {
      this.logger.error('job failed', { job_id: id, error: new Error(interruptedTooOften) });
    }
    return null;
  }

  private async succeed(job: Job, resultKey: string | null): Promise<void> {
    const { rowCount } = await this.database.query(
      `UPDATE public.jobs SET status = 'SUCCEEDED', progress = 100, result_key = $3, error = NULL, finished_at = now(),
         updated_at = now()
       WHERE id = $1 AND status = 'RUNNING' AND attempts = $2`,
      [job.id, job.attempts, resultKey],
    );
    if (rowCount === 0) {
      throw new JobLost(job.id);
    }
  }

  private async fail(job: Job, error: string): Promise<void> {
    await this.database.query(
      `UPDATE public.jobs SET status = 'FAILED', error = $3, finished_at = now(), updated_at = now()
       WHERE id = $1 AND status = 'RUNNING' AND attempts = $2`,
      [job.id, job.attempts, error],
    );
  }

  private async requeue(job: Job, error: string): Promise<void> {
    await this.database.query(
      `UPDATE public.jobs SET status = 'QUEUED', error = $3, updated_at = now()
       WHERE id = $1 AND status = 'RUNNING' AND attempts = $2`,
      [job.id, job.attempts, error],
    );
  }

  /** Makes an interrupted attempt count for nothing. */
  private async giveBack(job: Job): Promise<void> {
    await this.database.query(
      `UPDATE public.jobs SET status = 'QUEUED', attempts = attempts - 1, updated_at = now()
       WHERE id = $1 AND status = 'RUNNING' AND attempts = $2`,
      [job.id, job.attempts],
    );
  }
}
