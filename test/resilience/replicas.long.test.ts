/**
 * Three replicas with one Redis are killed one after another while clients train: no session is lost, and no gradient
 * is wrong. `TESTS=all KILLS=24 CLIENTS=20 npx vitest run test/resilience/replicas` is the long form.
 */
import { describe, expect, it } from 'vitest';
import { compiled } from '../support/process.js';
import { isLeftOut } from '../support/programs.js';
import { startRedis } from '../support/redis.js';
import { Client, outcomesOf } from './support/client.js';
import { startReplicas } from './support/replicas.js';
import { rehearse, sumOf, trainAll } from './support/training.js';

const KILLS = Number(process.env.KILLS ?? 4);
const CLIENTS = Number(process.env.CLIENTS ?? 6);
/** Steps of every client before each kill and after the last one, so that each layer is trained in between. */
const STEPS_BETWEEN = 10;

const entry = compiled();

describe.skipIf(isLeftOut('redis-server') || isLeftOut('haproxy'))(
  'replicas behind a balancer (needs redis-server and haproxy)',
  () => {
    it('lose no session and return no wrong value, whichever of them dies', { timeout: KILLS * 300_000 }, async () => {
      const redis = await startRedis('appendonly yes', 'appendfsync always');
      const replicas = await startReplicas(entry(), { SESSION_STORE: redis.url, PROCESSES: '1', WORKERS: '1' });
      const steps = await rehearse(new Client(replicas.urls[0]));

      let killed = 0;
      let isOver = false;
      const clients = Array.from({ length: CLIENTS }, () => new Client(replicas.url));
      const { tallies, over, progress } = trainAll(clients, steps, () => isOver);
      const disturb = async () => {
        for (; killed < KILLS; killed++) {
          await progress(STEPS_BETWEEN);
          await replicas.replace(killed % replicas.urls.length);
          // Once, in the middle.
          if (killed === Math.floor(KILLS / 2)) {
            await redis.kill();
            await redis.restart();
          }
        }
        await progress(STEPS_BETWEEN);
      };
      await Promise.all([
        over,
        disturb().finally(() => {
          isOver = true;
        }),
      ]);

      const slowestMs = Math.max(...clients.map((client) => client.slowestMs));
      console.log(
        `replicas: ${sumOf(tallies, 'steps')} steps of ${CLIENTS} clients, ${killed} replicas killed, Redis restarted; ` +
          `slowest attempt ${slowestMs.toFixed(0)} ms; attempts ${outcomesOf(clients)}`,
      );
      expect({ lost: sumOf(tallies, 'lost'), wrong: sumOf(tallies, 'wrong') }).toEqual({ lost: 0, wrong: 0 });
    });
  },
);
