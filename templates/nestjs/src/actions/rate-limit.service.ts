import { Injectable } from '@nestjs/common';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';

import { Config } from '../common/config';
import { Logger } from '../common/logger';
import { RedisClient } from '../common/redis';
import type { Session } from '../common/session';

/**
 * Bounds how often an action may be called, counted in Redis, so that all instances of the service count together. Each
 * action counts apart:
 *
 * - a user may call it RATE_LIMIT_POINTS times in RATE_LIMIT_DURATION seconds, or RATE_LIMIT_ROLE_POINTS times when the
 *   action is a frequent one;
 * - callers of one role without a user id, such as visitors who did not sign in, share RATE_LIMIT_ROLE_POINTS;
 * - the admin, and direct calls with the admin secret, are not limited unless they name a user.
 *
 * When Redis is down nothing is limited: to be reachable matters more.
 */
@Injectable()
export class RateLimitService {
  private readonly users: RateLimiterRedis | null;
  private readonly roles: RateLimiterRedis | null;
  private readonly unauthorizedRole: string;

  constructor(
    config: Config,
    redis: RedisClient,
    private readonly logger: Logger,
  ) {
    const limiter = (points: number): RateLimiterRedis | null =>
      redis.client &&
      new RateLimiterRedis({
        storeClient: redis.client,
        keyPrefix: `${config.projectName}:nestjs:action_limit`,
        points,
        duration: config.rateLimit.durationSeconds,
      });
    this.users = limiter(config.rateLimit.points);
    this.roles = limiter(config.rateLimit.rolePoints);
    this.unauthorizedRole = config.unauthorizedRole;
  }

  /** Whether calls on behalf of a session are limited at all. */
  counts(session: Session): boolean {
    return this.bucket(session)[0] !== null;
  }

  /** Counts one call; frequent is for what is asked for often, see {@link Frequent}. Zero: it may proceed; else how many milliseconds to wait. */
  async consume(action: string, session: Session, frequent = false): Promise<number> {
    const [limiter, caller] = this.bucket(session);
    return this.count(frequent ? limiter && this.roles : limiter, action, caller);
  }

  private async count(limiter: RateLimiterRedis | null, action: string, caller: string): Promise<number> {
    if (limiter === null) {
      return 0;
    }
    try {
      await limiter.consume(`${action}:${caller}`);
      return 0;
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) {
        return Math.max(1, refusal.msBeforeNext);
      }
      this.logger.warn('rate limit is off', { action, error: refusal });
      return 0;
    }
  }

  /** Counts one call of any kind by a user, for limits of your own: whether it may proceed. */
  async checkLimit(userId: string): Promise<boolean> {
    return (await this.count(this.users, 'any', `user:${userId}`)) === 0;
  }

  /**
   * Who shares an allowance, and which. Visitors who did not sign in are never told apart by user id, because they can
   * claim any.
   */
  private bucket(session: Session): [RateLimiterRedis | null, string] {
    if (session.userId !== '' && session.role !== this.unauthorizedRole) {
      return [this.users, `user:${session.userId}`];
    }
    return session.trusted ? [null, ''] : [this.roles, `role:${session.role}`];
  }
}
