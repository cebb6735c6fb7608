import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Redis, type RedisOptions } from 'ioredis';

import { Config } from './config';
import { Logger } from './logger';

/** Bounds each use of Redis, in milliseconds: waiting longer for it than for the database would defeat its purpose. */
export const redisTimeouts = { connectTimeout: 500, commandTimeout: 500 };

/**
 * The service's connection to Redis, or none where REDIS_URL is empty. Redis is a help, not a source of truth: while it is
 * down, commands fail at once and the connection is tried again in the background.
 */
@Injectable()
export class RedisClient implements OnModuleInit, OnApplicationShutdown {
  /** Null: the cache and the rate limit are off. */
  readonly client: Redis | null;

  constructor(
    config: Config,
    private readonly logger: Logger,
  ) {
    this.client = config.redisUrl === '' ? null : connectRedis(config.redisUrl, { ...quick, ...redisTimeouts });
    this.client?.on('error', (error) => this.logger.warn('redis client', { error }));
  }

  async onModuleInit(): Promise<void> {
    try {
      await this.client?.connect();
    } catch {
      // The listener above has logged it, and the client goes on trying.
    }
  }

  onApplicationShutdown(): void {
    this.client?.disconnect(); // nothing is left to be written
  }
}

const quick: RedisOptions = {
  lazyConnect: true,
  enableAutoPipelining: true, // what requests under way ask for at the same time is sent together
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
};

/** Makes a client for a connection string; it tries again without end. The caller listens for its errors. */
export function connectRedis(url: string, own: RedisOptions): Redis {
  const options = { retryStrategy: (attempt: number) => Math.min(attempt * 100, 2000), ...own };
  const socket = /^unix:\/\/(\/[^?]*)/.exec(url)?.[1];
  return socket === undefined ? new Redis(url, options) : new Redis({ ...options, path: socket });
}
