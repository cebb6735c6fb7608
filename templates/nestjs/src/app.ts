import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';

import { AppModule } from './app.module';
import { ActionRegistry } from './common/action-registry';
import { ActionsMiddleware } from './common/actions.middleware';
import type { Config } from './common/config';
import { Lifecycle } from './common/lifecycle';
import { type Logger, NestLogger } from './common/logger';
import { RequestMiddleware } from './common/request.middleware';

/** How much longer than the slowest action running requests may take to end after the service was told to stop. */
const graceMarginMs = 3000;

/** Puts the parts together; nothing listens yet. */
export async function createApp(config: Config, logger: Logger): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(config, logger), {
    bodyParser: false, // ActionsMiddleware reads bodies, after it has seen the secret
    logger: new NestLogger(logger),
    abortOnError: false,
  });
  // Not by a module's configure: Nest wraps each middleware of those in promises, which take a twentieth of a small request.
  const requests = app.get(RequestMiddleware);
  const actions = app.get(ActionsMiddleware);
  app.use(requests.use.bind(requests));
  app.use('/actions', actions.use.bind(actions));
  app.disable('x-powered-by');
  app.disable('etag');
  const server = app.getHttpServer();
  server.headersTimeout = 5_000;
  server.requestTimeout = 30_000;
  server.keepAliveTimeout = 120_000;
  return app;
}

/** Takes no new requests, lets those that run come to their end, and closes the rest. Fails when some had to be cut off. */
export async function stopApp(
  app: NestExpressApplication,
  graceMs = app.get(ActionRegistry).longestMs + graceMarginMs,
): Promise<void> {
  app.get(Lifecycle).stopping = true;
  const server = app.getHttpServer();
  let cutOff = false;
  const timer = setTimeout(() => {
    cutOff = true;
    server.closeAllConnections();
  }, graceMs);
  // Connections that are kept open for a next request become idle one by one, as their last answer goes out.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
    clearInterval(sweep);
  }
  if (cutOff) {
    throw new Error(`stop: requests were still running after ${graceMs / 1000} s`);
  }
}
