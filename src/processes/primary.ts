/** The process that starts the servers, one a core, starts them again when they die, and passes on what they ask. */
import cluster, { type Worker } from 'node:cluster';
import closeWithGrace from 'close-with-grace';
import type { Logger } from 'pino';
import { Gatherer } from './gatherer.js';
import { isOfKind, isPeerMessage, type GatherReply, type GatherRequest, type SnapshotReply } from './messages.js';

/** Tells a server process which one it is. */
export const INDEX_VARIABLE = 'LAYERD_PROCESS_INDEX';

/** The primary waits longer than a server's own grace, so that its end is not cut short. */
const LONGER_MS = 3000;

export interface PrimaryOptions {
  readonly logger: Logger;
  /** How long a server may take to stop. */
  readonly graceMs: number;
  /** What a second signal does, when the servers have been ended. */
  readonly exitAtOnce: (signal: NodeJS.Signals) => never;
}

export function runPrimary(count: number, { logger, graceMs, exitAtOnce }: PrimaryOptions): void {
  // Structured clones: sessions that cross from one process to another hold typed arrays.
  cluster.setupPrimary({ serialization: 'advanced' });
  const servers: Worker[] = [];
  const gatherer = new Gatherer();
  let stopping = false;

  const start = (index: number): void => {
    const server = cluster.fork({ [INDEX_VARIABLE]: String(index) });
    let listened = false;
    servers[index] = server;
    gatherer.add(server);
    server.on('listening', () => {
      listened = true;
    });
    server.on('message', (message: unknown) => {
      if (isPeerMessage(message) && servers[message.to].isConnected()) servers[message.to].send(message);
      else if (isOfKind<SnapshotReply>(message, 'snapshot-reply'))
        gatherer.receive(server.id, message.id, message.snapshot);
      else if (isOfKind<GatherRequest>(message, 'gather-request'))
        void gatherer.gather().then((snapshots) => {
          const reply: GatherReply = { kind: 'gather-reply', id: message.id, snapshots };
          if (server.isConnected()) server.send(reply);
        });
    });
    server.on('exit', (code, signal) => {
      if (stopping) return;
      // One that never listened would not do so the next time either: its own log says why.
      if (!listened) process.exit(code || 1);
      logger.error({ index, code, signal }, 'a server process died; starting it again');
      gatherer.remove(server);
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
    await Promise.all(
      servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            if (server.isDead()) resolve();
            server.once('exit', () => {
              resolve();
            });
            server.process.kill('SIGTERM');
          }),
      ),
    );
  });
}
