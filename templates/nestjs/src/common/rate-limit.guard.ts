import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';

import { RateLimitService } from '../actions/rate-limit.service';
import { type ActionCall, callOf } from './action-call';
import { ActionError, Code } from './action-error';
import { ActionRegistry } from './action-registry';

/**
 * Turns away calls beyond the limit, with status 429 rather than with a failed business rule: an answer with status 200
 * must have the shape of the action's output type, while the engine passes the message of any 4xx on to its client.
 */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(
    private readonly limits: RateLimitService,
    private readonly actions: ActionRegistry,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const http = context.switchToHttp();
    const call = callOf(http.getRequest<Request>());
    if (call === undefined || !this.limits.counts(call.session)) {
      return true; // a page, not an action, or a caller without a limit
    }
    return this.count(call, http.getResponse());
  }

  private async count(call: ActionCall, response: Response): Promise<boolean> {
    const frequent = this.actions.find(call.action.path)?.frequent ?? false;
    const wait = await this.limits.consume(call.action.path, call.session, frequent);
    if (wait === 0) {
      return true;
    }
    const seconds = Math.max(1, Math.ceil(wait / 1000));
    response.set('Retry-After', String(seconds));
    throw new ActionError({
      status: 429,
      code: Code.rateLimited,
      message: `Too many requests. Please try again in ${duration(seconds)}.`,
      extensions: { code: Code.rateLimited, retry_after: seconds },
    });
  }
}

/** Writes 90 as "1m30s". */
function duration(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = `${seconds % 60}s`;
  if (hours > 0) {
    return `${hours}h${minutes}m${rest}`;
  }
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}
