/**
 * `npm run bench:scaling -- [WORD …] [--store memory|redis] [--clients N] [--rounds N] [--seconds S]`: the cost of
 * replicas, the balancer and the session store. Starts replicas with one process each, HAProxy with deploy/haproxy.cfg
 * and Redis with the redis.conf of deploy/ on this machine; clients train through each configuration in turn
 * (bench/training.ts). With fewer cores than processes, more replicas cannot serve more requests: compare the CPU time
 * per request instead.
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { ConfigSchema } from '../src/config.js';
import { cases } from './cases.js';
import { cpuMs } from './cpu.js';
import { describeMachine } from './machine.js';
import { startProxy, startRedis, type Redis } from './proxy.js';
import { median } from './rounds.js';
import { startService, type Service } from './service.js';
import { formatNumber } from './table.js';
import { REQUESTS_A_STEP, train, type Workload } from './training.js';

/** A replica as in deploy/kubernetes. */
const REPLICA = { PROCESSES: '1', WORKERS: '1' };
const MOST_REPLICAS = 3;

/** Small requests, dominated by overhead, and one that is dominated by arithmetic. */
const WORKLOADS: readonly Omit<Workload, 'sessions'>[] = [
  workload('linear 64-256-256', 'float32', 'application/vnd.safetensors'),
  workload('batchnorm 64-64', 'float64', 'application/json'),
  workload('lstm 20-4-8-16', 'float64', 'application/json'),
  workload('convolution 8-3-32-16', 'float32', 'application/vnd.safetensors'),
];

function workload(name: string, dtype: Workload['dtype'], type: Workload['type']): Omit<Workload, 'sessions'> {
  const given = cases.find((candidate) => candidate.name === name);
  if (!given) throw new Error(`no case ${name}`);
  return { given, dtype, type };
}

interface Side {
  readonly name: string;
  readonly url: string;
  readonly sessions: boolean;
  readonly replicas: readonly Service[];
  readonly proxy?: Service;
  readonly redis?: Redis;
}

interface Figures {
  readonly rate: number;
  /** Milliseconds of CPU time per request. */
  readonly replicas: number;
  readonly proxy: number;
  readonly redis: number;
  readonly client: number;
  /** Bytes to and from Redis per step. */
  readonly bytes: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    store: { type: 'string', multiple: true },
    clients: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
  },
});
const [clients, rounds, seconds] = [Number(values.clients), Number(values.rounds), Number(values.seconds)];

const running: { stop(): Promise<void> }[] = [];
const kept = async <Running extends { stop(): Promise<void> }>(starting: Promise<Running>): Promise<Running> => {
  const started = await starting;
  running.push(started);
  return started;
};

async function sidesOf(store: string): Promise<Side[]> {
  // A build that does not know the variable would silently keep sessions in memory.
  if (store === 'redis' && !('SESSION_STORE' in ConfigSchema.properties))
    throw new Error('this build has no SESSION_STORE');
  const redis = store === 'redis' ? await kept(startRedis()) : undefined;
  const variables = { ...REPLICA, ...(redis ? { SESSION_STORE: redis.url } : {}) };
  const replicas: Service[] = [];
  for (let i = 0; i < MOST_REPLICAS; i++) replicas.push(await kept(startService(variables)));
  const common = redis ? { redis } : {};
  const sides: Side[] = [];
  // A session in memory belongs to one replica; replicas do not share them.
  for (const sessions of redis ? [true] : [true, false]) {
    const what = sessions ? `sessions in ${store}` : 'no sessions';
    const [first] = replicas;
    sides.push({ name: `${what}, 1 replica, direct`, url: first.url, sessions, replicas: [first], ...common });
    for (let count = 1; count <= (redis || !sessions ? MOST_REPLICAS : 1); count++) {
      const behind = replicas.slice(0, count);
      const proxy = await kept(startProxy(behind.map(({ url }) => new URL(url).host)));
      const name = `${what}, ${count} replica${count > 1 ? 's' : ''} behind HAProxy`;
      sides.push({ name, url: proxy.url, sessions, replicas: behind, proxy, ...common });
    }
  }
  return sides;
}

async function measure(side: Side, load: Omit<Workload, 'sessions'>): Promise<Figures> {
  const pids = [side.replicas.map(({ pid }) => pid), [side.proxy?.pid ?? []], [side.redis?.pid ?? []], [process.pid]];
  const cpu = () => pids.map((of) => of.flat().reduce((sum, pid) => sum + cpuMs(pid), 0));
  const before = { cpu: cpu(), bytes: await side.redis?.traffic() };
  const { steps, seconds: taken } = await train(side.url, { ...load, sessions: side.sessions }, clients, seconds);
  const after = { cpu: cpu(), bytes: await side.redis?.traffic() };
  const requests = steps * REQUESTS_A_STEP;
  const [replicas, proxy, redis, client] = after.cpu.map((ms, i) => (ms - before.cpu[i]) / requests);
  const bytes = ((after.bytes ?? NaN) - (before.bytes ?? NaN)) / steps;
  return { rate: requests / taken, replicas, proxy, redis, client, bytes };
}

async function compare(load: Omit<Workload, 'sessions'>, sides: readonly Side[]): Promise<void> {
  const figures: Figures[][] = sides.map(() => []);
  // The first round is a warm-up and is not counted.
  for (let round = 0; round <= rounds; round++)
    for (const [i, side] of sides.entries()) {
      const one = await measure(side, load);
      if (round > 0) figures[i].push(one);
    }
  for (const [i, { name, proxy, redis }] of sides.entries()) {
    const of = (field: keyof Figures) => formatNumber(median(figures[i].map((one) => one[field])));
    const cells = [
      ...[`${load.given.name}, ${load.dtype}, ${load.type === 'application/json' ? 'JSON' : 'safetensors'}`, name],
      ...[`${of('rate')}/s`, of('replicas'), proxy ? of('proxy') : '–', redis ? of('redis') : '–', of('client')],
      redis ? of('bytes') : '–',
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
}

// Ends all processes that were started when this one ends.
process.setMaxListeners(30);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  const sides: Side[] = [];
  for (const store of values.store ?? ['memory', 'redis']) sides.push(...(await sidesOf(store)));
  console.log(`${describeMachine()}; ${clients} clients, ${rounds} rounds of ${seconds} s a side\n`);
  console.log('| work | | requests | CPU ms a request: replicas | HAProxy | Redis | clients | bytes of Redis a step |');
  console.log('|---|---|---|---|---|---|---|---|');
  for (const load of WORKLOADS)
    if (positionals.length === 0 || positionals.some((word) => load.given.name.includes(word)))
      await compare(load, sides);
  console.log(`\nload at the end ${loadavg()[0].toFixed(1)}`);
} finally {
  for (const each of running.reverse()) await each.stop();
}
