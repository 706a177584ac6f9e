/**
 * Compares two ways to use the cores of a machine, with the same requests in turn: one process per core, each with a
 * thread for large requests, or one process with a thread per core.
 */
import { availableParallelism } from 'node:os';
import { clientsOf } from './clients.js';
import { compare, missing, workloads } from './generator.js';
import type { Options } from './options.js';
import { withService } from './service.js';
import type { Report } from './table.js';

const cores = String(availableParallelism());
const MANY = { PROCESSES: cores, WORKERS: '1' };
const ONE = { PROCESSES: '1', WORKERS: cores };
const nameOf = ({ PROCESSES, WORKERS }: typeof MANY) => `PROCESSES=${PROCESSES} WORKERS=${WORKERS}`;

export async function shapes(options: Options, report: Report): Promise<void> {
  const reason = missing();
  if (reason) report({ name: 'shapes of processes', says: reason });
  else
    await withService(MANY, (many) =>
      withService(ONE, async (one) => {
        for (const kind of ['forward', 'forward_backward'] as const)
          await compare(
            [
              { name: nameOf(MANY), url: many, kind },
              { name: nameOf(ONE), url: one, kind },
            ],
            workloads(options),
            `, ${kind.replace('_', ' and ')}, ${nameOf(MANY)}`,
            options,
            report,
          );
      }),
    );
  for (const shape of [MANY, ONE])
    await withService(shape, (url) => clientsOf(url, `, ${nameOf(shape)}`, options, report));
}
