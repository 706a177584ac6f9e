/** The process: configuration, the port, signals. */
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import closeWithGrace from 'close-with-grace';
import { pino } from 'pino';
import { loadConfig, loadTracing, type Config, type TracingConfig } from './config.js';
import { processChannel } from './processes/channel.js';
import { gathering } from './processes/gathering.js';
import { PeerStore } from './processes/peers.js';
import { INDEX_VARIABLE, runPrimary } from './processes/primary.js';
import { isShared } from './sessions/address.js';
import type { SessionStore } from './sessions/store.js';

/** After an error that nobody caught an answer may never come: what is in flight has this long. */
const GRACE_AFTER_ERROR_MS = 2000;

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
const graceMs = config.SHUTDOWN_GRACE_SECONDS * 1000;
if (index === undefined) sayWhoIsServed();
if (config.PROCESSES > 1 && index === undefined) runPrimary(config.PROCESSES, { logger, graceMs, exitAtOnce });
else await runServer();

/** At a second signal: the status by which a shell tells a signal. */
function exitAtOnce(signal: NodeJS.Signals): never {
  logger.error(`second ${signal}, exiting at once`);
  process.exit(128 + constants.signals[signal]);
}

function sayWhoIsServed(): void {
  const { HOST: host, API_KEYS_FILE: file } = config;
  if (file !== '') return;
  if (isLoopback(host))
    logger.info({ host }, 'without API_KEYS_FILE whoever reaches this service is served: the programs of this machine');
  else logger.warn({ host }, 'without API_KEYS_FILE whoever reaches this service is served, from other machines too');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

async function runServer(): Promise<void> {
  // In memory each process has a share of the sessions; elsewhere all have all of them.
  const divided = !isShared(config.SESSION_STORE);
  const share = (local: SessionStore) => new PeerStore(local, Number(index), config.PROCESSES, processChannel);
  // Not at the top: the primary has no use for what the app loads.
  const { buildApp } = await import('./http/app.js');
  const shareOf = (bytes: number) => Math.floor(bytes / config.PROCESSES);
  const app = await buildApp({
    config: {
      ...config,
      SESSION_BUDGET_BYTES: divided ? shareOf(config.SESSION_BUDGET_BYTES) : config.SESSION_BUDGET_BYTES,
      // A body of any size that is read must find room in every process.
      BODIES_BUDGET_BYTES: Math.max(shareOf(config.BODIES_BUDGET_BYTES), config.BODY_LIMIT_BYTES),
    },
    logger,
    tracing,
    ...(divided && index !== undefined ? { share } : {}),
    ...(index === undefined ? {} : { gather: (own) => gathering(processChannel, own) }),
  }).catch((error: unknown) => {
    logger.fatal(error, 'cannot start');
    process.exit(1);
  });

  // Ctrl-C reaches every process of the terminal. Where there is a primary, its word counts: a second signal would end
  // this process before its time.
  const ownsTerminal = index === undefined;
  if (!ownsTerminal) process.on('SIGINT', () => undefined);
  const skip: 'SIGINT'[] = ownsTerminal ? [] : ['SIGINT'];
  closeWithGrace({ delay: graceMs, logger, skip, onSecondSignal: exitAtOnce }, async ({ err }) => {
    if (err) {
      logger.fatal(err, 'uncaught');
      await Promise.race([app.close(), sleep(GRACE_AFTER_ERROR_MS)]);
      return;
    }
    app.announceStop();
    await sleep(config.SHUTDOWN_DELAY_SECONDS * 1000);
    await app.close();
  });

  try {
    await app.listen({ host: config.HOST, port: config.PORT });
  } catch (error) {
    logger.fatal(error, 'cannot listen');
    process.exit(1);
  }
}
