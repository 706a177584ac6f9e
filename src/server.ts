/** The process: configuration, the port, signals. */
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import closeWithGrace from 'close-with-grace';
import { pino } from 'pino';
import { loadConfig, loadTracing, type Config, type TracingConfig } from './config.js';
import { processChannel } from './runtime/cluster/channel.js';
import { createGather } from './runtime/cluster/metrics-server.js';
import { PeerStore } from './runtime/cluster/peer-store.js';
import { INDEX_VARIABLE, runPrimary } from './runtime/cluster/primary.js';
import { isShared } from './sessions/address.js';
import type { SessionStore } from './sessions/store.js';

/** How long requests in flight may take after an uncaught error: some may never be answered. */
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

/** On a second signal, exits with the status that shells use for a signal: 128 plus its number. */
function exitAtOnce(signal: NodeJS.Signals): never {
  logger.error(`second ${signal}, exiting at once`);
  process.exit(128 + constants.signals[signal]);
}

function sayWhoIsServed(): void {
  const { HOST: host, API_KEYS_FILE: file } = config;
  if (file !== '') return;
  if (isLoopback(host))
    logger.info({ host }, 'no API keys are configured: any program on this machine can use the service');
  else
    logger.warn(
      { host },
      'no API keys are configured: anyone who can reach this address, even from other machines, can use the service',
    );
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

async function runServer(): Promise<void> {
  // In memory, each process holds a share of the sessions; with Redis, every process has access to all of them.
  const divided = !isShared(config.SESSION_STORE);
  const share = (local: SessionStore) => new PeerStore(local, Number(index), config.PROCESSES, processChannel);
  // Not imported at the top: the primary does not need what the app loads.
  const { buildApp } = await import('./http/app.js');
  const shareOf = (bytes: number) => Math.floor(bytes / config.PROCESSES);
  const app = await buildApp({
    config: {
      ...config,
      SESSION_BUDGET_BYTES: divided ? shareOf(config.SESSION_BUDGET_BYTES) : config.SESSION_BUDGET_BYTES,
      // Every process must have room for the largest body.
      BODIES_BUDGET_BYTES: Math.max(shareOf(config.BODIES_BUDGET_BYTES), config.BODY_LIMIT_BYTES),
    },
    logger,
    tracing,
    ...(divided && index !== undefined ? { share } : {}),
    ...(index === undefined ? {} : { gather: (own) => createGather(processChannel, own) }),
  }).catch((error: unknown) => {
    logger.fatal(error, 'cannot start');
    process.exit(1);
  });

  // Ctrl-C reaches every process of the terminal. If there is a primary, it stops this process, which therefore ignores
  // Ctrl-C: as a first signal, it would make the primary's signal a second one, which ends the process at once.
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
