import { hash, timingSafeEqual } from 'node:crypto';

import { Injectable, type NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';

import { setCall } from './action-call';
import { ActionError, Code } from './action-error';
import { ActionRegistry } from './action-registry';
import { parseEnvelope, readText } from './body';
import { Config } from './config';
import { ErrorFilter } from './error.filter';
import { note } from './request-context';
import { Session } from './session';

/**
 * Receives every request under /actions/: lets in only who knows the admin secret, finds the action, reads the body,
 * and bounds the time that the rest takes. A controller gets the arguments as its `@Body()`, and the rest as its `@Call()`.
 */
@Injectable()
export class ActionsMiddleware implements NestMiddleware {
  private readonly secret: Buffer;

  constructor(
    config: Config,
    private readonly actions: ActionRegistry,
    private readonly errors: ErrorFilter,
  ) {
    this.secret = sha256(config.adminSecret);
  }

  use(request: Request, response: Response, next: NextFunction): void {
    this.receive(request, response)
      .then(() => next())
      .catch((error: unknown) => this.errors.answer(error, response));
  }

  private async receive(request: Request, response: Response): Promise<void> {
    this.checkSecret(request);
    const path = request.originalUrl.split('?', 1)[0]?.replace(/^\/actions\//, '') ?? '';
    const action = this.actions.find(path);
    if (action === undefined) {
      throw new ActionError({
        status: 404,
        code: Code.notFound,
        message: `Action ${JSON.stringify(path)} is not served here`,
      });
    }
    note({ action: action.name });
    if (request.method !== 'POST') {
      response.set('Allow', 'POST');
      throw new ActionError({
        status: 405,
        code: Code.method,
        message: `Actions are called with POST, not ${request.method}`,
      });
    }
    const envelope = parseEnvelope(await readText(request, action.maxBodyBytes));
    const session = Session.from(envelope.sessionVariables, request.headers);
    note({ role: session.role, user_id: session.userId });
    setCall(request, { action, session, query: envelope.query });
    request.body = envelope.input;
    this.bound(response, action.timeoutMs);
  }

  /** Answers in the handler's place when it takes too long. What it answers after that goes nowhere. */
  private bound(response: Response, timeoutMs: number): void {
    const timer = setTimeout(() => {
      if (!response.headersSent) {
        this.errors.answer(new Error(`the handler did not answer within ${timeoutMs / 1000} s`), response);
      }
    }, timeoutMs);
    response.once('close', () => clearTimeout(timer));
  }

  /** Both sides are hashed first: the comparison then takes the same time whatever the length of what was sent. */
  private checkSecret(request: Request): void {
    const given = sha256(request.get('X-Hasura-Admin-Secret') ?? '');
    if (!timingSafeEqual(given, this.secret)) {
      throw ActionError.unauthorized('X-Hasura-Admin-Secret is missing or wrong');
    }
    delete request.headers['x-hasura-admin-secret']; // handlers see the headers and have no use for this one
  }
}

function sha256(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
