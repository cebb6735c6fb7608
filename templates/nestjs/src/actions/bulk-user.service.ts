import { Injectable } from '@nestjs/common';

import { Database, type Queryable } from '../common/database';
import { JobQueue } from '../jobs/job-queue';
import { InvitationService } from './invitation.service';
import { normaliseProfile, type Profile, profileFaults } from './user.rules';

const batchSize = 1000;

/** No password has this hash. */
const noPassword = '!';

/** What became of one user. */
export interface Creation {
  /** As it was given. */
  email: string;
  success: boolean;
  user: { id: string; email: string; name: string; email_verified: boolean } | null;
  error: string | null;
}

type Row = NonNullable<Creation['user']>;

/** Makes many accounts at once. */
@Injectable()
export class BulkUserService {
  constructor(
    private readonly database: Database,
    private readonly queue: JobQueue,
    private readonly invitations: InvitationService,
  ) {}

  /** Makes the accounts in one transaction, and returns what became of each, in the order of the input. */
  async create(inputs: readonly Profile[], invite: boolean): Promise<Creation[]> {
    const profiles = inputs.map(normaliseProfile);
    const seen = new Set<string>();
    const errors = profiles.map((profile) => {
      const [fault] = profileFaults(profile);
      if (fault !== undefined) {
        return fault.message;
      }
      if (seen.has(profile.email)) {
        return 'Email is listed twice';
      }
      seen.add(profile.email);
      return null;
    });
    const good = profiles.filter((_, at) => errors[at] === null);
    const { created, jobs } = await this.database.transaction(async (tx) => {
      const created = new Map<string, Row>();
      const jobs: string[] = [];
      for (let at = 0; at < good.length; at += batchSize) {
        const rows = await insert(tx, good.slice(at, at + batchSize));
        rows.forEach((row) => created.set(row.email, row));
        if (invite) {
          jobs.push(
            ...(await this.invitations.prepare(
              tx,
              rows.map((row) => row.id),
            )),
          );
        }
      }
      return { created, jobs };
    });
    this.queue.announce(jobs);
    return profiles.map((profile, at) => {
      const error = errors[at] ?? null;
      const user = error === null ? (created.get(profile.email) ?? null) : null;
      return {
        email: inputs[at]?.email ?? '',
        success: user !== null,
        user,
        error: user === null ? (error ?? 'Email is already in use') : null,
      };
    });
  }
}

/** Inserts users, but for those whose address is taken. */
async function insert(tx: Queryable, profiles: readonly Profile[]): Promise<Row[]> {
  const { rows } = await tx.query<Row>(
    `INSERT INTO public.users (email, password_hash, name, company)
     SELECT email, $4, name, company FROM unnest($1::text[], $2::text[], $3::text[]) AS given (email, name, company)
     ON CONFLICT DO NOTHING RETURNING id, email, name, email_verified`,
    [profiles.map((p) => p.email), profiles.map((p) => p.name), profiles.map((p) => p.company), noPassword],
  );
  return rows;
}
