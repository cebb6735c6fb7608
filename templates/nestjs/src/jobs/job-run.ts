import type { Queryable } from '../common/database';
import type { Job } from './jobs.service';

/** Does the jobs of one kind. Pass it to {@link JobQueue.handle}. */
export interface JobHandler {
  /**
   * Does a job and returns where its result lies, or null when it has none. It may be run again after a crash at any
   * point, so it derives what it writes from the job's id. After an error it is tried again later, unless that is a final
   * {@link JobError}. Of any other error than a JobError the user learns nothing.
   */
  run(job: JobRun): Promise<string | null>;
}

/** Why a job failed, as its user may read it. */
export class JobError extends Error {
  /** Another attempt would fail too. */
  readonly final: boolean;

  constructor(message: string, options: { final?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'JobError';
    this.final = options.final ?? false;
  }
}

/** The job is not this worker's any more: it was cancelled, or another worker has taken it over. */
export class JobLost extends Error {
  constructor(id: string) {
    super(`job ${id} was cancelled or taken over`);
  }
}

/** The service is stopping: the job is to be done again after the restart. */
export class JobInterrupted extends Error {
  constructor(id: string) {
    super(`job ${id} was interrupted by the end of the service`);
  }
}

/** One attempt at a job. */
export class JobRun {
  readonly id: string;
  readonly userId: string | null;
  readonly payload: Record<string, unknown>;
  private readonly abort = new AbortController();

  constructor(
    readonly job: Job,
    private readonly database: Queryable,
  ) {
    this.id = job.id;
    this.userId = job.user_id;
    this.payload = job.payload;
  }

  /** Aborted when the job is to be left alone; its reason is a {@link JobLost} or {@link JobInterrupted}. */
  get signal(): AbortSignal {
    return this.abort.signal;
  }

  stop(): void {
    this.abort.abort(new JobInterrupted(this.id));
  }

  /** Saves how far the job is, in percent, and fails when it is to be left alone. Call it at every step of the work. */
  async progress(percent: number): Promise<void> {
    await this.renew(Math.max(0, Math.min(99, Math.floor(percent))));
    this.signal.throwIfAborted();
  }

  /** Says that the worker is alive. Null leaves the progress as it is. */
  async renew(percent: number | null): Promise<void> {
    const { rowCount } = await this.database.query(
      `UPDATE public.jobs SET progress = coalesce($3, progress), updated_at = now()
       WHERE id = $1 AND status = 'RUNNING' AND attempts = $2`,
      [this.id, this.job.attempts, percent],
    );
    if (rowCount === 0) {
      this.abort.abort(new JobLost(this.id));
    }
  }
}
