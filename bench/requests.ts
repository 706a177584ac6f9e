/**
 * Whole requests: the service compared with alternative servers, if they are running on the ports below, and with an
 * echo of the same bytes, which is the upper limit for Node.js. Requires the load generator that PEERS names; see
 * `generator.ts`.
 */
import { compare, missing, workloads, type Server } from './generator.js';
import type { Options } from './options.js';
import { responds, withService } from './service.js';
import type { Report } from './table.js';

/** By port. The strongest comes first, and targets refer to it. */
const PEERS: readonly Omit<Server, 'kind'>[] = [
  { name: 'FastAPI with msgspec', url: 'http://127.0.0.1:8105' },
  { name: 'FastAPI with ujson', url: 'http://127.0.0.1:8101' },
  { name: 'plain Fastify', url: 'http://127.0.0.1:8102' },
];
const ECHO = { name: 'echo', url: 'http://127.0.0.1:8103' };

export async function requests(options: Options, report: Report): Promise<void> {
  const reason = missing();
  if (reason) {
    report({ name: 'whole requests', says: reason });
    return;
  }
  const running = await Promise.all(PEERS.map(({ url }) => responds(`${url}/health/live`)));
  const peers = PEERS.filter((_, i) => running[i]);
  const chosen = workloads(options);
  await withService({}, async (url) => {
    const beside = (kind: Server['kind'], others: readonly Server[]) => [{ name: 'layerd', url, kind }, ...others];
    for (const kind of ['forward', 'forward_backward'] as const) {
      const others = peers.map((peer) => ({ ...peer, kind }));
      await compare(beside(kind, others), chosen, `, ${kind.replace('_', ' and ')}`, options, report);
    }
    if (!(await responds(`${ECHO.url}/health/live`))) return;
    const moved = chosen.filter(({ layer, format }) => layer === 'batchnorm' && format === 'binary');
    await compare(beside('forward', [{ ...ECHO, kind: 'echo' }]), moved, ', forward, beside an echo', options, report);
  });
}
