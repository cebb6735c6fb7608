import { createHash, randomBytes } from 'node:crypto';

import { Injectable } from '@nestjs/common';

import { Config } from '../common/config';
import { Database, type Queryable } from '../common/database';
import { JobQueue } from '../jobs/job-queue';
import type { JobHandler, JobRun } from '../jobs/job-run';
import { CacheService } from './cache.service';
import { EmailService, escapeHtml } from './email.service';
import { PasswordService } from './password.service';

const invitationJob = 'invitation';

/** How long the link in an invitation works. */
const days = 7;

/** Whether an invitation can be accepted, or why not. */
export type Invitation = 'open' | 'unknown' | 'used' | 'expired';

/** Invites users whose accounts others have made: the link in the mail lets them choose a password. */
@Injectable()
export class InvitationService implements JobHandler {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly cache: CacheService,
    private readonly email: EmailService,
    private readonly passwords: PasswordService,
    private readonly queue: JobQueue,
  ) {
    queue.handle(invitationJob, this);
  }

  /** Stores an invitation and its job for each user; returns the ids of the jobs, see {@link JobQueue.announce}. */
  async prepare(tx: Queryable, userIds: string[]): Promise<string[]> {
    const { rows } = await tx.query<{ user_id: string }>(
      `INSERT INTO public.invitations (user_id, expires_at)
       SELECT user_id, now() + make_interval(days => $2) FROM unnest($1::uuid[]) AS given (user_id)
       ON CONFLICT DO NOTHING RETURNING user_id`,
      [userIds, days],
    );
    return this.queue.store(tx, invitationJob, null, rows);
  }

  /**
   * Sends one invitation. The row is locked while the mail goes out and says that it went with the commit: who comes
   * second finds it sent. Only a crash between the mail server's yes and the commit makes it go out again, and then the
   * second link is the one that works.
   */
  async run(job: JobRun): Promise<null> {
    await this.database.transaction(async (tx) => {
      const token = randomBytes(32).toString('base64url');
      const { rows } = await tx.query<{ email: string; name: string }>(
        `UPDATE public.invitations SET token_hash = $2, expires_at = now() + make_interval(days => $3), sent_at = now()
         FROM public.users
         WHERE user_id = $1 AND id = user_id AND sent_at IS NULL AND accepted_at IS NULL RETURNING email, name`,
        [job.payload.user_id, hashToken(token), days],
      );
      const user = rows[0];
      if (user !== undefined) {
        const link = `${this.config.publicUrl}/accept-invitation?${new URLSearchParams({ token }).toString()}`;
        await this.email.send({ to: user.email, subject: 'You are invited', ...invitationMail(user.name, link) });
      }
    });
    return null;
  }

  /** What a link leads to. */
  async check(token: string): Promise<Invitation> {
    const { rows } = await this.database.query<{ used: boolean; expired: boolean }>(
      `SELECT accepted_at IS NOT NULL AS used, expires_at <= now() AS expired FROM public.invitations
       WHERE token_hash = $1`,
      [hashToken(token)],
    );
    const found = rows[0];
    if (found === undefined) {
      return 'unknown';
    }
    if (found.used) {
      return 'used';
    }
    return found.expired ? 'expired' : 'open';
  }

  /** Uses a link up: sets the user's password, and takes the address as verified. Null: another was faster. */
  async accept(token: string, password: string): Promise<{ id: string; name: string } | null> {
    const hash = await this.passwords.hash(password);
    const { rows } = await this.database.query<{ id: string; name: string }>(
      `WITH invitation AS (
         UPDATE public.invitations SET accepted_at = now()
         WHERE token_hash = $1 AND accepted_at IS NULL AND expires_at > now()
         RETURNING user_id
       )
       UPDATE public.users SET password_hash = $2, email_verified = true, updated_at = now()
       WHERE id = (SELECT user_id FROM invitation)
       RETURNING id, name`,
      [hashToken(token), hash],
    );
    const user = rows[0] ?? null;
    if (user !== null) {
      await this.cache.forgetCachedUser(user.id);
    }
    return user;
  }
}

/** What the database knows of a token. */
function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function invitationMail(name: string, link: string): { text: string; html: string } {
  return {
    text: `Hello ${name},

an account was created for you. Please open this link to choose a password:

${link}

It works once, within ${days} days. If you did not expect this mail, ignore it.
`,
    html: `<!doctype html>
<html lang="en">
  <body style="font-family: sans-serif; line-height: 1.5">
    <p>Hello ${escapeHtml(name)},</p>
    <p>an account was created for you. Please choose a password:</p>
    <p><a href="${escapeHtml(link)}">Choose a password</a></p>
    <p>The link works once, within ${days} days. If you did not expect this mail, ignore it.</p>
  </body>
</html>
`,
  };
}
