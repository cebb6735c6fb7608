import { Controller, Get, Res } from '@nestjs/common';
import type { Response } from 'express';

import { Database } from './database';
import { Lifecycle } from './lifecycle';
import { Logger } from './logger';
import { RedisClient } from './redis';

/** Bounds each look at a dependency: a probe that hangs tells its caller nothing. */
const checkTimeoutMs = 2000;

type Outcome = 'up' | 'down' | 'disabled';

@Controller()
export class HealthController {
  constructor(
    private readonly database: Database,
    private readonly redis: RedisClient,
    private readonly lifecycle: Lifecycle,
    private readonly logger: Logger,
  ) {}

  /**
   * Says that the process answers at all; it looks at nothing else, so that a database that is down does not get the
   * service restarted in vain.
   */
  @Get('healthz')
  healthz(): { status: string } {
    return { status: 'ok' };
  }

  /** Says whether requests should be sent here. */
  @Get('readyz')
  async readyz(@Res({ passthrough: true }) response: Response): Promise<object> {
    const redis = this.redis.client;
    const [postgresState, redisState] = await Promise.all([
      this.check('postgres', () => this.database.query('SELECT 1')),
      redis === null ? 'disabled' : this.check('redis', () => redis.ping()),
    ]);
    const checks = { postgres: postgresState, redis: redisState };
    if (this.lifecycle.stopping) {
      response.status(503);
      return { status: 'stopping', checks };
    }
    if (postgresState === 'down') {
      response.status(503);
      return { status: 'unready', checks };
    }
    return { status: redisState === 'down' ? 'degraded' : 'ready', checks };
  }

  private async check(dependency: string, probe: () => Promise<unknown>): Promise<Outcome> {
    let timer: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error('no answer in time')), checkTimeoutMs);
      });
      await Promise.race([probe(), late]);
      return 'up';
    } catch (error) {
      this.logger.warn('dependency is down', { dependency, error });
      return 'down';
    } finally {
      clearTimeout(timer);
    }
  }
}
