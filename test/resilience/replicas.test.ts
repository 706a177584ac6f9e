/**
 * Three replicas over one Redis, of which one after the other is killed while clients train: no session is lost, and
 * no gradient is wrong. `DURATION_SECONDS=120 CLIENTS=20 npx vitest run test/resilience/replicas.test.ts` is the long
 * form; the short one is for every day.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { compiled } from '../support/process.js';
import { isLeftOut } from '../support/programs.js';
import { startRedis } from '../support/redis.js';
import { Client, outcomesOf } from './support/client.js';
import { startReplicas } from './support/replicas.js';
import { rehearse, train } from './support/training.js';

const DURATION_MS = Number(process.env.DURATION_SECONDS ?? 12) * 1000;
const CLIENTS = Number(process.env.CLIENTS ?? 6);
const KILL_EVERY_MS = 5000;
/** No attempt of a client may take longer. */
const LONGEST_MS = 10_000;

const entry = compiled();

describe.skipIf(isLeftOut('redis-server') || isLeftOut('haproxy'))(
  'replicas behind a balancer (needs redis-server and haproxy)',
  () => {
    it(
      'lose no session and give no wrong value, whichever of them dies',
      { timeout: DURATION_MS + 120_000 },
      async () => {
        const redis = await startRedis('appendonly yes', 'appendfsync always');
        const replicas = await startReplicas(entry(), { SESSION_STORE: redis.url, PROCESSES: '1', WORKERS: '1' });
        const steps = await rehearse(new Client(replicas.urls[0]));

        const end = Date.now() + DURATION_MS;
        const isOver = () => Date.now() >= end;
        const clients = Array.from({ length: CLIENTS }, () => new Client(replicas.url));
        const training = Promise.all(clients.map((client) => train(client, steps, isOver)));
        let killed = 0;
        const disturbing = (async () => {
          for (let index = 0; Date.now() + KILL_EVERY_MS < end; index = (index + 1) % replicas.urls.length) {
            await wait(KILL_EVERY_MS);
            await replicas.replace(index);
            killed++;
            // Once, in the middle.
            if (killed === Math.ceil(DURATION_MS / KILL_EVERY_MS / 2)) {
              await redis.kill();
              await redis.restart();
            }
          }
        })();
        const [tallies] = await Promise.all([training, disturbing]);

        const sum = (of: 'steps' | 'lost' | 'wrong') => tallies.reduce((total, tally) => total + tally[of], 0);
        const slowestMs = Math.max(...clients.map((client) => client.slowestMs));
        console.log(
          `replicas: ${sum('steps')} steps of ${CLIENTS} clients in ${DURATION_MS / 1000} s, ${killed} replicas killed, Redis restarted; ` +
            `slowest attempt ${slowestMs.toFixed(0)} ms; attempts ${outcomesOf(clients)}`,
        );
        expect(killed).toBeGreaterThan(1);
        expect(sum('steps')).toBeGreaterThan(CLIENTS * 10);
        expect({ lost: sum('lost'), wrong: sum('wrong') }).toEqual({ lost: 0, wrong: 0 });
        expect(slowestMs).toBeLessThan(LONGEST_MS);
      },
    );
  },
);
