import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Request, Response } from 'express';
import { type Observable, throwError, timeout } from 'rxjs';

import { callOf } from './action-call';

/** Bounds one call of a handler. It leaves room below the 30 s that the engine waits for one by default. */
export const actionTimeoutMs = 25_000;

/** Answers calls of actions with status 200, where Nest would say 201 to a POST, and bounds their time. */
@Injectable()
export class ActionInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    if (callOf(http.getRequest<Request>()) === undefined) {
      return next.handle();
    }
    http.getResponse<Response>().status(200);
    return next.handle().pipe(
      timeout({
        first: actionTimeoutMs,
        with: () => throwError(() => new Error(`the handler did not answer within ${actionTimeoutMs / 1000} s`)),
      }),
    );
  }
}
