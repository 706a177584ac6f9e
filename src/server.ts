/** The process: configuration, the port, signals. */
import closeWithGrace from 'close-with-grace';
import { pino } from 'pino';
import { loadConfig, loadTracing, type Config, type TracingConfig } from './config.js';
import { processChannel } from './processes/channel.js';
import { gathering } from './processes/gathering.js';
import { PeerStore } from './processes/peers.js';
import { INDEX_VARIABLE, runPrimary } from './processes/primary.js';
import type { SessionStore } from './sessions/store.js';

/** What is in flight at SIGTERM has this long to finish; Kubernetes kills after 30 s. */
const GRACE_MS = 25_000;

function configOrExit(): { config: Config; tracing: TracingConfig | undefined } {
  try {
    return { config: loadConfig(process.env), tracing: loadTracing(process.env) };
  } catch (error) {
    process.stderr.write(`layerd: ${(error as Error).message}\n`);
    process.exit(1);
  }
}

const { config, tracing } = configOrExit();
const logger = pino({ level: config.LOG_LEVEL });
const index = process.env[INDEX_VARIABLE];
if (config.PROCESSES > 1 && index === undefined) runPrimary(config.PROCESSES, logger);
else await runServer();

async function runServer(): Promise<void> {
  const share = (local: SessionStore) => new PeerStore(local, Number(index), config.PROCESSES, processChannel);
  // Not at the top: the primary has no use for what the app loads.
  const { buildApp } = await import('./http/app.js');
  const budget = Math.floor(config.SESSION_BUDGET_BYTES / config.PROCESSES);
  const app = await buildApp({
    config: { ...config, SESSION_BUDGET_BYTES: budget },
    logger,
    tracing,
    ...(index === undefined ? {} : { share, gather: (own) => gathering(processChannel, own) }),
  });

  // Ctrl-C reaches every process of the terminal. Where there is a primary, its word counts: a second signal would end
  // this process before its time.
  const ownsTerminal = index === undefined;
  if (!ownsTerminal) process.on('SIGINT', () => undefined);
  closeWithGrace({ delay: GRACE_MS, logger, skip: ownsTerminal ? [] : ['SIGINT'] }, async ({ err }) => {
    if (err) logger.fatal(err, 'uncaught');
    await app.close();
  });

  try {
    await app.listen({ host: config.HOST, port: config.PORT });
  } catch (error) {
    logger.fatal(error, 'cannot listen');
    process.exit(1);
  }
}
