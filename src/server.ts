/** The process: configuration, the port, signals. */
import closeWithGrace from 'close-with-grace';
import { pino } from 'pino';
import { loadConfig, type Config } from './config.js';
import { buildApp } from './http/app.js';

/** What is in flight at SIGTERM has this long to finish; Kubernetes kills after 30 s. */
const GRACE_MS = 25_000;

function configOrExit(): Config {
  try {
    return loadConfig(process.env);
  } catch (error) {
    process.stderr.write(`layerd: ${(error as Error).message}\n`);
    process.exit(1);
  }
}

const config = configOrExit();
const logger = pino({ level: config.LOG_LEVEL });
const app = await buildApp({ config, logger });

closeWithGrace({ delay: GRACE_MS, logger }, async ({ err }) => {
  if (err) logger.fatal(err, 'uncaught');
  await app.close();
});

try {
  await app.listen({ host: config.HOST, port: config.PORT });
} catch (error) {
  logger.fatal(error, 'cannot listen');
  process.exit(1);
}
