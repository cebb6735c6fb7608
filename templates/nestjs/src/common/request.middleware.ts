import { randomUUID } from 'node:crypto';

import { Injectable, type NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';

import { Lifecycle } from './lifecycle';
import { Logger } from './logger';
import { type RequestContext, withRequestContext } from './request-context';
import { Tracing } from './tracing';

const header = 'X-Request-Id';

/**
 * Keeps the caller's request id, so that one id leads through all services, or makes one; and writes one line for each
 * request. The path is logged without the query, which may hold a token.
 */
@Injectable()
export class RequestMiddleware implements NestMiddleware {
  constructor(
    private readonly logger: Logger,
    private readonly lifecycle: Lifecycle,
    private readonly tracing: Tracing,
  ) {}

  use(request: Request, response: Response, next: NextFunction): void {
    const given = request.get(header);
    const context: RequestContext = { requestId: valid(given) ? given : randomUUID(), traceId: '', notes: {} };
    const path = request.originalUrl.split('?', 1)[0] ?? '';
    const start = performance.now();
    response.setHeader(header, context.requestId).setHeader('X-Content-Type-Options', 'nosniff');
    if (this.lifecycle.stopping) {
      response.set('Connection', 'close'); // the caller must not send its next request here
    }
    this.tracing.request(request, response, path, (traceId) => {
      context.traceId = traceId;
      withRequestContext(context, () => {
        response.once('close', () => {
          this.log(response.statusCode, path, {
            method: request.method,
            path,
            status: response.statusCode,
            duration_ms: Math.round((performance.now() - start) * 1000) / 1000,
            ...context.notes,
          });
        });
        next();
      });
    });
  }

  private log(status: number, path: string, facts: Record<string, unknown>): void {
    if (status >= 500) {
      this.logger.error('request', facts);
    } else if (path === '/healthz' || path === '/readyz') {
      this.logger.debug('request', facts); // probes would drown the rest
    } else {
      this.logger.info('request', facts);
    }
  }
}

/** Keeps what a stranger chose from forging log lines or growing them without bound. */
function valid(id: string | undefined): id is string {
  return id !== undefined && /^[\w.-]{1,128}$/.test(id);
}
