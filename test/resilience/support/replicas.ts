/** Several replicas of the service behind HAProxy, configured by deploy/haproxy.cfg. */
import { freePort } from '../../../bench/service.js';
import { startBalancer } from '../../support/haproxy.js';
import { startProcess, type RunningService } from '../../support/process.js';

export interface Replicas {
  /** Address of the balancer. */
  readonly url: string;
  /** Addresses of the replicas, without the balancer. */
  readonly urls: readonly string[];
  /** Kills a replica with SIGKILL, and starts it again at the same port. */
  replace(index: number): Promise<void>;
}

/** Must be called in a test, with three replicas, as in the configuration. */
export async function startReplicas(entry: string, environment: Readonly<Record<string, string>>): Promise<Replicas> {
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const start = (port: number) => startProcess(entry, { PORT: String(port), LOG_LEVEL: 'info', ...environment });
  const running: RunningService[] = await Promise.all(ports.map(start));
  return {
    url: await startBalancer(ports.map((port) => `127.0.0.1:${port}`)),
    urls: ports.map((port) => `http://127.0.0.1:${port}`),
    async replace(index) {
      running[index].kill('SIGKILL');
      await running[index].exited;
      running[index] = await start(ports[index]);
    },
  };
}
