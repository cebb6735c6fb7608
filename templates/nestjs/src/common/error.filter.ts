import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { Response } from 'express';

import { ActionError, Code } from './action-error';
import { isObject } from './body';
import { Logger } from './logger';
import { note } from './request-context';

const codes: Readonly<Record<number, string>> = {
  400: Code.badRequest,
  401: Code.unauthorized,
  403: Code.forbidden,
  404: Code.notFound,
  405: Code.method,
  413: Code.tooLarge,
  429: Code.rateLimited,
};

/**
 * Answers with an {@link ActionError} as it is, and with Nest's own exceptions in the same shape. Any other error is ours
 * alone: it is logged, and the caller learns nothing but the request id.
 */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    this.answer(error, host.switchToHttp().getResponse());
  }

  /** Logs an error as far as it is ours, and makes it the answer where there is none yet. */
  answer(error: unknown, response: Response): void {
    if (response.writableEnded && isObject(error) && error.code === 'ERR_HTTP_HEADERS_SENT') {
      return; // the answer of a handler whose time was up
    }
    const shown = publicError(error);
    if (shown === undefined) {
      this.logger.error('action failed', { error });
    } else if (shown.cause !== undefined && shown.status >= 500) {
      this.logger.error('action failed', { error });
    } else if (shown.cause !== undefined) {
      this.logger.warn('action refused', { error });
    }
    const answer = shown ?? ActionError.internal();
    note({ error_code: answer.code });
    if (response.writableEnded) {
      return; // the caller has its answer
    }
    if (response.headersSent) {
      response.destroy(); // half an answer is out; the caller must not take it for a whole one
      return;
    }
    response.status(answer.status).json(answer.body());
  }
}

/** The error as the caller may see it, or undefined for one that is hidden. */
function publicError(error: unknown): ActionError | undefined {
  if (error instanceof ActionError) {
    return error;
  }
  if (error instanceof HttpException && error.getStatus() < 500) {
    const status = error.getStatus();
    const code = codes[status] ?? Code.badRequest;
    return new ActionError({ status, code, message: status === 404 && isRoute(error) ? 'Not found' : text(error) });
  }
  // Express marks what is wrong with a request itself, such as an address that cannot be decoded.
  if (error instanceof URIError) {
    return new ActionError({ status: 404, code: Code.notFound, message: 'Not found' });
  }
  return undefined;
}

/** Whether Nest found no route, rather than a handler something. */
function isRoute(error: HttpException): boolean {
  return /^Cannot [A-Z]+ \//.test(error.message);
}

function text(error: HttpException): string {
  const body = error.getResponse();
  const message = isObject(body) ? body.message : body;
  if (Array.isArray(message)) {
    return message.join(', ');
  }
  return typeof message === 'string' ? message : error.message;
}
