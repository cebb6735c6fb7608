/** Codes that the service itself answers with, in error_code. */
export const Code = {
  validation: 'VALIDATION_ERROR',
  badRequest: 'BAD_REQUEST',
  unauthorized: 'UNAUTHORIZED',
  signIn: 'UNAUTHENTICATED',
  forbidden: 'FORBIDDEN',
  notFound: 'NOT_FOUND',
  method: 'METHOD_NOT_ALLOWED',
  tooLarge: 'BODY_TOO_LARGE',
  rateLimited: 'RATE_LIMITED',
  internal: 'INTERNAL_ERROR',
  notImplemented: 'NOT_IMPLEMENTED',
} as const;

/** One input at fault. */
export interface FieldError {
  field: string;
  message: string;
  code?: string;
}

export interface ActionErrorOptions {
  /** The HTTP status; 400 when it is left out. */
  status?: number;
  /** For programs, such as "NOT_FOUND". */
  code: string;
  /** For people. */
  message: string;
  /** Which inputs are at fault. */
  fields?: FieldError[];
  /** Become the GraphQL error's extensions in place of the code. */
  extensions?: Record<string, unknown>;
  /** Further members of the body, such as a status that the action's output type has. */
  answer?: Record<string, unknown>;
  /** For the log only. */
  cause?: unknown;
}

/**
 * A failure that the caller may see. With a status from 400 to 499 the engine answers its client with the message as a
 * GraphQL error and the code in its extensions; any higher status becomes "internal error" there. A failure of business
 * rules is not an ActionError: answer it with success false in the action's output type.
 */
export class ActionError extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: FieldError[];
  readonly extensions?: Record<string, unknown>;
  readonly answer?: Record<string, unknown>;

  constructor(options: ActionErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ActionError';
    this.status = options.status ?? 400;
    this.code = options.code;
    this.fields = options.fields ?? [];
    this.extensions = options.extensions;
    this.answer = options.answer;
  }

  /** What the caller sees: the shape of a failed business rule, and what the engine reads (code, extensions). */
  body(): Record<string, unknown> {
    return {
      success: false,
      message: this.message,
      ...(this.fields.length > 0 && { errors: this.fields }),
      ...(this.code !== '' && { error_code: this.code, code: this.code }),
      ...(this.extensions && { extensions: this.extensions }),
      ...this.answer,
    };
  }

  /** Status 400: the caller sent something that cannot be used. */
  static badRequest(code: string, message: string): ActionError {
    return new ActionError({ status: 400, code, message });
  }

  /** Status 401: the caller must sign in first. */
  static unauthorized(message: string): ActionError {
    return new ActionError({ status: 401, code: Code.unauthorized, message });
  }

  /** Status 401: only a user can do this. */
  static signIn(): ActionError {
    return new ActionError({ status: 401, code: Code.signIn, message: 'Sign in first' });
  }

  /** Status 403: the caller is known and may not do this. */
  static forbidden(message: string): ActionError {
    return new ActionError({ status: 403, code: Code.forbidden, message });
  }

  /** For a handler that has not been written yet. The status is 400, because the engine would hide a 501's message. */
  static notImplemented(action: string, file: string): ActionError {
    return ActionError.badRequest(Code.notImplemented, `${action} is not implemented yet: edit ${file}`);
  }

  /** Status 500, without any detail. */
  static internal(): ActionError {
    return new ActionError({ status: 500, code: Code.internal, message: 'Internal server error' });
  }
}
