import 'reflect-metadata';

import { createApp, stopApp } from './app';
import { loadConfig } from './common/config';
import { Lifecycle } from './common/lifecycle';
import { createLogger } from './common/logger';

async function main(): Promise<void> {
  const config = loadConfig();
  const logger = createLogger(config.logLevel);
  const app = await createApp(config, logger);

  const stop = (): void => {
    logger.info('stopping');
    stopApp(app).then(
      () => logger.info('stopped'),
      (error: unknown) => {
        logger.error('stopped', { error });
        process.exitCode = 1;
      },
    );
  };
  // Once each: a second signal ends the program at once.
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);

  if (config.listenHost === '') {
    await app.listen(config.port);
  } else {
    await app.listen(config.port, config.listenHost);
  }
  app.get(Lifecycle).serving();
  logger.info('serving', { address: await app.getUrl(), env: config.env });
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
