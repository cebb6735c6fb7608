import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describeWithServers, hasRedis, TestService } from './environment';

/** Describes tests of jobs, whose queue is in the Redis of REDIS_URL. */
export const describeWithQueue = hasRedis || process.env.CI ? describeWithServers : describe.skip;

/** A folder for the storage, and how to remove it. */
export async function storageFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'storage-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Asks until there is something, or fails after a while. */
export async function eventually<T>(ask: () => Promise<T | null | undefined | false>): Promise<T> {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    const answer = await ask();
    if (answer) {
      return answer;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('it did not happen within 60 s');
}

export interface JobRow {
  id: string;
  status: string;
  attempts: number;
  progress: number;
  result_key: string | null;
  error: string | null;
}

/** The job with this id, as soon as it has one of the states. */
export function jobIn(service: TestService, id: unknown, ...states: string[]): Promise<JobRow> {
  return eventually(async () => {
    const { rows } = await service.database.query<JobRow>('SELECT * FROM public.jobs WHERE id = $1', [id]);
    return rows[0] && states.includes(rows[0].status) && rows[0];
  });
}
