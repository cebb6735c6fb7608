import { Injectable } from '@nestjs/common';

import { Config } from '../common/config';
import { Logger } from '../common/logger';
import { RedisClient } from '../common/redis';

/**
 * Keeps values in Redis for a while, as JSON. It is a help, not a source of truth: when Redis is down, reads miss, writes
 * are dropped, and the service goes on.
 */
@Injectable()
export class CacheService {
  private readonly prefix: string;

  constructor(
    config: Config,
    private readonly redis: RedisClient,
    private readonly logger: Logger,
  ) {
    this.prefix = `${config.projectName}:nestjs:`;
  }

  /** The value at key, or null. */
  async get<T>(key: string): Promise<T | null> {
    try {
      const text = await this.redis.client?.get(this.prefix + key);
      return text == null ? null : (JSON.parse(text) as T);
    } catch (error) {
      this.failed('get', key, error);
      return null;
    }
  }

  async set(key: string, value: unknown, ttlSeconds: number): Promise<void> {
    try {
      await this.redis.client?.setex(this.prefix + key, ttlSeconds, JSON.stringify(value));
    } catch (error) {
      this.failed('set', key, error);
    }
  }

  /** Removes a value that has changed. */
  async delete(key: string): Promise<void> {
    try {
      await this.redis.client?.del(this.prefix + key);
    } catch (error) {
      this.failed('delete', key, error);
    }
  }

  /** The value at key, or what load returns, which is then kept. A load that returns null is asked again next time. */
  async fetch<T>(key: string, ttlSeconds: number, load: () => Promise<T | null>): Promise<T | null> {
    const cached = await this.get<T>(key);
    if (cached !== null) {
      return cached;
    }
    const value = await load();
    if (value !== null) {
      await this.set(key, value, ttlSeconds);
    }
    return value;
  }

  /** A user as {@link setCachedUser} has kept it, or null. */
  getCachedUser<T = unknown>(userId: string): Promise<T | null> {
    return this.get<T>(userKey(userId));
  }

  async setCachedUser(userId: string, user: unknown, ttl = 3600): Promise<void> {
    await this.set(userKey(userId), user, ttl);
  }

  /** Forgets a user who has changed. */
  async forgetCachedUser(userId: string): Promise<void> {
    await this.delete(userKey(userId));
  }

  private failed(op: string, key: string, error: unknown): void {
    this.logger.warn('cache failed', { op, key, error });
  }
}

function userKey(userId: string): string {
  return `user:${userId}`;
}
