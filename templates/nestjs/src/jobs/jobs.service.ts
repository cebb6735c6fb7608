import { Injectable } from '@nestjs/common';

import { Database } from '../common/database';
import { uuid } from '../common/session';

/** The states of a job: QUEUED and RUNNING become one of the other three, which are final. */
export type JobState = 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

/** A row of public.jobs. */
export interface Job {
  id: string;
  kind: string;
  /** Whose job it is; null: the admin's. */
  user_id: string | null;
  payload: Record<string, unknown>;
  status: JobState;
  /** In percent. */
  progress: number;
  /** How often a worker has begun. It also tells a worker whether the job is still its own. */
  attempts: number;
  max_attempts: number;
  /** Where the result lies in the storage. */
  result_key: string | null;
  /** For the user. */
  error: string | null;
  created_at: Date;
  finished_at: Date | null;
}

const columns = `id, kind, user_id, payload, status, progress, attempts, max_attempts, result_key, error, created_at,
  finished_at`;

/**
 * Reads and cancels jobs, whichever service does them: the table public.jobs is the truth about a job, and the queue
 * carries its id only.
 */
@Injectable()
export class JobsService {
  constructor(private readonly database: Database) {}

  /** The job with this id when it is this user's, or anyone's when `any` is true; else null. */
  async findOwn(id: string, userId: string, any: boolean): Promise<Job | null> {
    const job = await this.find(id);
    return job !== null && (any || (userId !== '' && job.user_id === userId)) ? job : null;
  }

  /** The job with this id, or null. */
  async find(id: string): Promise<Job | null> {
    if (uuid(id) === '') {
      return null;
    }
    const { rows } = await this.database.query<Job>(`SELECT ${columns} FROM public.jobs WHERE id = $1`, [id]);
    return rows[0] ?? null;
  }

  /**
   * Cancels a job that has not come to its end; a worker that is at it notices at its next step. Null: there is no such
   * job. Cancelled is false for one that had finished already.
   */
  async cancel(id: string): Promise<{ job: Job; cancelled: boolean } | null> {
    const { rows } = await this.database.query<Job>(
      `UPDATE public.jobs SET status = 'CANCELLED', finished_at = now(), updated_at = now()
       WHERE id = $1 AND status IN ('QUEUED', 'RUNNING') RETURNING ${columns}`,
      [id],
    );
    if (rows[0] !== undefined) {
      return { job: rows[0], cancelled: true };
    }
    const job = await this.find(id);
    return job && { job, cancelled: false };
  }
}
