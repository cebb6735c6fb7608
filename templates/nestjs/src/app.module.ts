import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';

import { actions, controllers, providers } from './actions/actions.gen';
import { CacheService } from './actions/cache.service';
import { EmailService } from './actions/email.service';
import { RateLimitService } from './actions/rate-limit.service';
import { ActionList, ActionRegistry } from './common/action-registry';
import { ActionsMiddleware } from './common/actions.middleware';
import { ArgumentsPipe } from './common/arguments.pipe';
import { Config } from './common/config';
import { Database } from './common/database';
import { ErrorFilter } from './common/error.filter';
import { HealthController } from './common/health.controller';
import { Lifecycle } from './common/lifecycle';
import { Logger } from './common/logger';
import { RateLimitGuard } from './common/rate-limit.guard';
import { RedisClient } from './common/redis';
import { RequestMiddleware } from './common/request.middleware';
import { Tracing } from './common/tracing';

/** The whole service. Add what your controllers need to `providers`. */
@Module({})
export class AppModule {
  static with(config: Config, logger: Logger): DynamicModule {
    return {
      module: AppModule,
      controllers: [HealthController, ...controllers],
      providers: [
        { provide: Config, useValue: config },
        { provide: Logger, useValue: logger },
        { provide: ActionList, useValue: new ActionList(actions, controllers) },
        { provide: APP_FILTER, useExisting: ErrorFilter },
        { provide: APP_GUARD, useClass: RateLimitGuard },
        { provide: APP_PIPE, useClass: ArgumentsPipe },
        ActionRegistry,
        ActionsMiddleware,
        Database,
        ErrorFilter,
        Lifecycle,
        RedisClient,
        RequestMiddleware,
        Tracing,
        CacheService,
        EmailService,
        RateLimitService,
        ...providers,
      ],
    };
  }
}
