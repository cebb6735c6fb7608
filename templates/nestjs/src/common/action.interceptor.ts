import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { Request, Response } from 'express';
import { type Observable, throwError, timeout } from 'rxjs';

import { callOf } from './action-call';
import { ActionRegistry } from './action-registry';

/** Answers calls of actions with status 200, where Nest would say 201 to a POST, and bounds their time. */
@Injectable()
export class ActionInterceptor implements NestInterceptor {
  constructor(private readonly actions: ActionRegistry) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const action = this.actions.find(callOf(http.getRequest<Request>())?.action.path ?? '');
    if (action === undefined) {
      return next.handle();
    }
    http.getResponse<Response>().status(200);
    return next.handle().pipe(
      timeout({
        first: action.timeoutMs,
        with: () => throwError(() => new Error(`the handler did not answer within ${action.timeoutMs / 1000} s`)),
      }),
    );
  }
}
