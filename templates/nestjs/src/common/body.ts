import type { IncomingMessage } from 'node:http';

import { ActionError, Code } from './action-error';

/** What the engine sends. */
export interface Envelope {
  input: unknown;
  sessionVariables: Record<string, unknown> | null;
  query: string;
}

/** Reads what the engine sends: {action, input, session_variables, request_query}. */
export function parseEnvelope(text: string): Envelope {
  const body = parse(text);
  if (body === null) {
    throw ActionError.badRequest(Code.badRequest, 'Request body must be an object');
  }
  if (!isObject(body)) {
    throw wrongKind('Request body', body);
  }
  const sessionVariables = body.session_variables ?? null;
  if (sessionVariables !== null && !isObject(sessionVariables)) {
    throw wrongKind('session_variables', sessionVariables);
  }
  const query = body.request_query ?? '';
  if (typeof query !== 'string') {
    throw wrongKind('request_query', query);
  }
  return { input: body.input ?? {}, sessionVariables, query };
}

/** Reads a body as text; status 413 for one that is too large. */
export function readText(request: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const tooLarge = (): void =>
      reject(
        new ActionError({
          status: 413,
          code: Code.tooLarge,
          message: `Request body is larger than ${maxBytes} bytes`,
        }),
      );
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
      tooLarge();
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) {
        request.removeAllListeners('data').pause();
        tooLarge();
      } else {
        chunks.push(chunk);
      }
    });
    request.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    request.once('error', reject);
    request.once('close', () => {
      if (!request.readableEnded) {
        reject(new Error('the client left before its request was whole'));
      }
    });
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw ActionError.badRequest(Code.badRequest, 'Request body is not valid JSON');
  }
}

/** Whether a JSON value is an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The error for a JSON value of the wrong kind. */
export function wrongKind(what: string, value: unknown): ActionError {
  return ActionError.badRequest(Code.badRequest, `${what} must not be a JSON ${jsonKind(value)}`);
}

function jsonKind(value: unknown): string {
  if (Array.isArray(value)) {
    return 'array';
  }
  if (typeof value === 'boolean') {
    return 'bool';
  }
  return value === null ? 'null' : typeof value;
}
