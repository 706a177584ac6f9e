/** The process that starts the servers, restarts those that die, and forwards their requests to each other. */
import cluster, { type Worker } from 'node:cluster';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { ClusterMetrics } from './metrics-primary.js';
import { isOfKind, type GatherReply, type GatherRequest, type SnapshotReply } from './protocol.js';
import { Relay } from './relay.js';

/** Tells a server process which one it is. */
export const INDEX_VARIABLE = 'LAYERD_PROCESS_INDEX';

/** How much longer than a server's grace period the primary waits, so that it does not cut a server short. */
const LONGER_MS = 3000;

export interface PrimaryOptions {
  readonly logger: Logger;
  /** How long a server may take to stop. */
  readonly graceMs: number;
  /** Called on a second signal, after the servers have been killed. */
  readonly exitAtOnce: (signal: NodeJS.Signals) => never;
}

export function runPrimary(count: number, { logger, graceMs, exitAtOnce }: PrimaryOptions): void {
  // Structured clones, because sessions that are sent between processes contain typed arrays.
  cluster.setupPrimary({ serialization: 'advanced' });
  const servers: Worker[] = [];
  const metrics = new ClusterMetrics();
  const relay = new Relay<Worker>();
  let stopping = false;

  const start = (index: number): void => {
    const server = cluster.fork({ [INDEX_VARIABLE]: String(index) });
    let listened = false;
    servers[index] = server;
    metrics.add(server);
    server.on('listening', () => {
      listened = true;
      relay.serves(index, server);
    });
    server.on('error', (error) => {
      // Without a process id, the server could not be started. Otherwise it is ending, and a message did not reach it.
      if (server.process.pid === undefined) throw error;
      logger.warn({ index, err: error }, 'a message to a server process was not delivered');
    });
    server.on('message', (message: unknown) => {
      if (relay.pass(server, message)) return;
      if (isOfKind<SnapshotReply>(message, 'snapshot-reply')) metrics.receive(server.id, message.id, message.snapshot);
      else if (isOfKind<GatherRequest>(message, 'gather-request'))
        void metrics.gather().then((snapshots) => {
          const reply: GatherReply = { kind: 'gather-reply', id: message.id, snapshots };
          if (server.isConnected()) server.send(reply);
        });
    });
    server.on('exit', (code, signal) => {
      relay.died(index, server);
      if (stopping) return;
      // A server that never listened would fail again. Its log says why.
      if (!listened) process.exit(code || 1);
      logger.error({ index, code, signal }, 'a server process died; starting it again');
      metrics.remove(server);
      start(index);
    });
  };
  for (let index = 0; index < count; index++) start(index);

  const onSecondSignal = (signal: NodeJS.Signals) => {
    for (const server of servers) server.process.kill('SIGKILL');
    exitAtOnce(signal);
  };
  closeWithGrace({ delay: graceMs + LONGER_MS, logger, onSecondSignal }, async ({ err }) => {
    if (err) logger.fatal(err, 'uncaught');
    stopping = true;
    const codes = await Promise.all(servers.map(stop));
    // Exits as a single process would: if a server failed, its requests in flight were not answered.
    const failed = codes.find((code) => code !== 0);
    if (failed !== undefined) process.exit(failed ?? 1);
  });
}

/** @returns the server's exit status; null if a signal ended it */
function stop(server: Worker): Promise<number | null> {
  return new Promise((resolve) => {
    if (server.isDead()) resolve(server.process.exitCode);
    server.once('exit', (code, signal) => {
      // A server that SIGTERM ends has no handler for it yet, so it was not listening and has no requests in flight.
      resolve(signal === 'SIGTERM' ? 0 : code);
    });
    server.process.kill('SIGTERM');
  });
}
