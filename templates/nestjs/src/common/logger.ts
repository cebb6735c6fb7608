import { LoggerService } from '@nestjs/common';
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';

import type { LogLevel } from './config';
import { requestContext } from './request-context';

/** Attributes of a log line, keys in snake_case. An `error` is written with its stack. */
export type Attributes = Record<string, unknown>;

/** How long a line may wait for others to be written with. A process that is killed loses that much of its log at most. */
const flushAfterMs = 10;

/** Writes one JSON object a line, with the id of the request that it belongs to. Inject it where you log. */
export class Logger {
  constructor(private readonly out: PinoLogger) {}

  debug(message: string, attributes: Attributes = {}): void {
    this.out.debug(attributes, message);
  }

  info(message: string, attributes: Attributes = {}): void {
    this.out.info(attributes, message);
  }

  warn(message: string, attributes: Attributes = {}): void {
    this.out.warn(attributes, message);
  }

  error(message: string, attributes: Attributes = {}): void {
    this.out.error(attributes, message);
  }
}

/** Makes the service's logger. Without a destination it writes to standard output. */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label.toUpperCase() }) },
    serializers: { error: describeError },
    mixin: () => {
      const context = requestContext();
      if (context === undefined) {
        return {};
      }
      const { requestId, traceId } = context;
      return traceId === '' ? { request_id: requestId } : { request_id: requestId, trace_id: traceId };
    },
  };
  return new Logger(pino(options, destination ?? standardOutput()));
}

/**
 * Standard output, where lines that come close to each other are written together: to write each alone costs a busy
 * service as much as to answer the request that it is about.
 */
function standardOutput(): DestinationStream {
  const out = pino.destination({ fd: process.stdout.fd, sync: true, minLength: 8192 });
  let waiting = false;
  const flush = (): void => {
    waiting = false;
    out.flush();
  };
  process.on('exit', () => out.flushSync());
  return {
    write(line: string): void {
      out.write(line);
      if (!waiting) {
        waiting = true;
        setTimeout(flush, flushAfterMs).unref();
      }
    },
  };
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const cause = error.cause === undefined ? '' : `\ncaused by: ${String(describeError(error.cause))}`;
  // Some errors have no message of their own, such as those of a connection that was tried on several addresses.
  const parts = error instanceof AggregateError ? `\n${error.errors.map(String).join('\n')}` : '';
  return `${error.stack ?? String(error)}${parts}${cause}`;
}

/** What Nest itself has to say, as lines of the same log. Its account of the start is for debugging only. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, context?: unknown): void {
    this.logger.debug(String(message), attributes(context));
  }

  debug(message: unknown, context?: unknown): void {
    this.logger.debug(String(message), attributes(context));
  }

  verbose(message: unknown, context?: unknown): void {
    this.logger.debug(String(message), attributes(context));
  }

  warn(message: unknown, context?: unknown): void {
    this.logger.warn(String(message), attributes(context));
  }

  error(message: unknown, ...rest: unknown[]): void {
    const detail = rest.filter((part) => part !== undefined).map(String);
    this.logger.error(String(message), detail.length > 0 ? { detail: detail.join('\n') } : {});
  }
}

function attributes(context: unknown): Attributes {
  return context === undefined ? {} : { context };
}
