import { Code } from '../common/action-error';
import type { Job } from '../jobs/jobs.service';
import { JobStatus, type JobStatusOutput } from './types.gen';

const messages: Readonly<Record<JobStatus, string>> = {
  [JobStatus.QUEUED]: 'Job is queued',
  [JobStatus.RUNNING]: 'Job is running',
  [JobStatus.SUCCEEDED]: 'Job succeeded',
  [JobStatus.FAILED]: 'Job failed',
  [JobStatus.CANCELLED]: 'Job was cancelled',
};

const nothing = {
  job_id: null,
  kind: null,
  status: null,
  progress: null,
  attempts: null,
  result_url: null,
  error: null,
  created_at: null,
  finished_at: null,
  errors: null,
};

/** Answers for a job that does not exist, or is not the caller's. */
export function noSuchJob(): JobStatusOutput {
  return { ...nothing, success: false, message: 'No such job', error_code: Code.notFound };
}

/** Tells the state of a job. */
export function describeJob(job: Job): JobStatusOutput {
  const status = JobStatus[job.status];
  return {
    ...nothing,
    success: true,
    message: messages[status],
    job_id: job.id,
    kind: job.kind,
    status,
    progress: job.progress,
    attempts: job.attempts,
    error: job.error,
    created_at: inSeconds(job.created_at),
    finished_at: job.finished_at && inSeconds(job.finished_at),
    error_code: null,
  };
}

/** A time as RFC 3339 has it, without fractions of a second. */
function inSeconds(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, 'Z');
}
