import { createHash, randomBytes } from 'node:crypto';

import { Injectable } from '@nestjs/common';

import { Database, isDuplicate } from '../common/database';
import { CacheService } from './cache.service';
import { PasswordService } from './password.service';
import type { RegisterUserInput, ValidationError } from './types.gen';
import { normaliseRegistration, registrationFaults } from './user.rules';

/** How long a verification link works. */
export const tokenHours = 24;

/** An account as others may see it: the password's hash never leaves this service. */
export interface User {
  id: string;
  email: string;
  name: string;
  company: string | null;
  email_verified: boolean;
  created_at: Date | string;
}

export interface NewUser {
  /** In lower case. */
  email: string;
  password_hash: string;
  name: string;
  company: string | null;
}

/** What became of a verification link. */
export type Verification = { outcome: 'verified'; user: User } | { outcome: 'unknown' | 'used' | 'expired' };

/** Another account has the address. */
export class EmailTakenError extends Error {
  constructor() {
    super('email is already in use');
  }
}

const columns = 'id, email, name, company, email_verified, created_at';

/** Keeps accounts and the verification of their email addresses in Postgres. */
@Injectable()
export class UserService {
  constructor(
    private readonly database: Database,
    private readonly cache: CacheService,
    private readonly passwords: PasswordService,
  ) {}

  /** Trims the input and says what is wrong with it. */
  validateRegistration(input: RegisterUserInput): {
    valid: boolean;
    errors: ValidationError[];
    input: RegisterUserInput;
  } {
    const normalised = normaliseRegistration(input);
    const errors = registrationFaults(normalised);
    return { valid: errors.length === 0, errors, input: normalised };
  }

  /** The account with this address, or null. It may be out of date by the time of create, which has the last word. */
  async findByEmail(email: string): Promise<User | null> {
    const { rows } = await this.database.query<User>(
      `SELECT ${columns} FROM public.users WHERE lower(email) = lower($1)`,
      [email],
    );
    return rows[0] ?? null;
  }

  /** The account with this id, from the cache where it is there, or null. */
  async findById(id: string): Promise<User | null> {
    const cached = await this.cache.getCachedUser<User>(id);
    if (cached !== null) {
      return cached;
    }
    const { rows } = await this.database.query<User>(`SELECT ${columns} FROM public.users WHERE id::text = $1`, [id]);
    if (rows[0] !== undefined) {
      await this.cache.setCachedUser(id, rows[0]);
    }
    return rows[0] ?? null;
  }

  hashPassword(password: string): Promise<string> {
    return this.passwords.hash(password);
  }

  /**
   * Makes an account together with the token that will verify its address; both exist, or neither. Fails with
   * {@link EmailTakenError} when another account has the address, also when that one is being made at the same time.
   */
  async create(user: NewUser, token: string): Promise<User> {
    try {
      return await this.database.transaction(async (tx) => {
        const { rows } = await tx.query<User>(
          `INSERT INTO public.users (email, password_hash, name, company) VALUES ($1, $2, $3, $4) RETURNING ${columns}`,
          [user.email, user.password_hash, user.name, user.company],
        );
        const created = rows[0];
        if (created === undefined) {
          throw new Error('create the user: no row came back');
        }
        await tx.query(
          `INSERT INTO public.email_verifications (token_hash, user_id, expires_at)
           VALUES ($1, $2, now() + make_interval(hours => $3))`,
          [hashToken(token), created.id, tokenHours],
        );
        return created;
      });
    } catch (error) {
      throw isDuplicate(error, 'users_email_key') ? new EmailTakenError() : error;
    }
  }

  /** The secret part of a verification link: 32 random bytes, as text for a URL. */
  newToken(): string {
    return randomBytes(32).toString('base64url');
  }

  /** Uses up a token and marks its user's address as verified. A token works once, also when it is sent twice at once. */
  async verifyEmail(token: string): Promise<Verification> {
    const { rows } = await this.database.query<User>(
      `WITH token AS (
         UPDATE public.email_verifications SET used_at = now()
         WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now()
         RETURNING user_id
       )
       UPDATE public.users SET email_verified = true, updated_at = now()
       WHERE id = (SELECT user_id FROM token)
       RETURNING ${columns}`,
      [hashToken(token)],
    );
    const user = rows[0];
    if (user === undefined) {
      return { outcome: await this.whyNot(token) };
    }
    await this.cache.forgetCachedUser(user.id);
    return { outcome: 'verified', user };
  }

  private async whyNot(token: string): Promise<'unknown' | 'used' | 'expired'> {
    const { rows } = await this.database.query<{ used: boolean }>(
      'SELECT used_at IS NOT NULL AS used FROM public.email_verifications WHERE token_hash = $1',
      [hashToken(token)],
    );
    if (rows[0] === undefined) {
      return 'unknown';
    }
    return rows[0].used ? 'used' : 'expired';
  }
}

/** What the database knows of a token. */
function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
