/** Clients that alternate forward and backward, comparing every answer with that of an undisturbed service. */
import { expect } from 'vitest';
import { good, layerNames, type LayerName } from '../../support/requests.js';
import { randomNumbers } from '../../support/random.js';
import { until } from '../../support/until.js';
import type { Client } from './client.js';

interface Step {
  readonly layer: LayerName;
  readonly forward: string;
  /** The fields of backward's body other than its token. */
  readonly backward: object;
  /** The expected answer of backward. */
  readonly gradients: string;
}

/** The small request of every layer, and a batchnorm of about a hundred kilobytes. */
function requests(): { layer: LayerName; forward: object; backward: object }[] {
  const { next } = randomNumbers(20_261_124);
  const matrix = () => Array.from({ length: 128 }, () => Array.from({ length: 64 }, next));
  return [
    // The same seed gives the same mask, so dropout always has the same answer.
    ...layerNames.map((layer) => ({ layer, ...good[layer] })),
    { layer: 'batchnorm', forward: { x: matrix() }, backward: { dout: matrix() } },
  ];
}

/** The answers of an undisturbed service. */
export async function rehearse(client: Client): Promise<Step[]> {
  return Promise.all(
    requests().map(async ({ layer, forward, backward }) => {
      const { status, text } = await client.post(`${layer}/backward`, JSON.stringify({ forward, ...backward }));
      expect(status, text).toBe(200);
      return { layer, forward: JSON.stringify(forward), backward, gradients: text };
    }),
  );
}

/** The results of a client so far. */
export interface Tally {
  steps: number;
  /** Sessions that backward did not find. */
  lost: number;
  wrong: number;
}

/** Takes training steps until `isOver`, and counts lost sessions and wrong gradients in the tally. */
async function train(client: Client, steps: readonly Step[], isOver: () => boolean, tally: Tally): Promise<void> {
  for (let i = 0; !isOver(); i++) {
    const { layer, forward, backward, gradients } = steps[i % steps.length];
    const kept = await client.post(layer, forward);
    if (kept.status !== 200) throw new Error(`${layer}: ${kept.status} ${kept.text}`);
    const { session } = JSON.parse(kept.text) as { session: string };
    // Without "release", so that a request whose answer is cut off can be repeated.
    const given = await client.post(`${layer}/backward`, JSON.stringify({ session, ...backward }));
    if (given.status === 404) tally.lost++;
    else if (given.text !== gradients) tally.wrong++;
    await client.ask('DELETE', `sessions/${session}`);
    tally.steps++;
  }
}

export interface Training {
  /** One per client. */
  readonly tallies: readonly Readonly<Tally>[];
  /** Resolves after the last step of every client; rejects if one of them fails. */
  readonly over: Promise<unknown>;
  /** Resolves once every client has taken this many more steps. */
  readonly progress: (steps: number) => Promise<void>;
}

/** Makes all clients train concurrently until `isOver`. */
export function trainAll(clients: readonly Client[], steps: readonly Step[], isOver: () => boolean): Training {
  const tallies = clients.map((): Tally => ({ steps: 0, lost: 0, wrong: 0 }));
  const over = Promise.all(clients.map((client, i) => train(client, steps, isOver, tallies[i])));
  return {
    tallies,
    over,
    async progress(more) {
      const aims = tallies.map((tally) => tally.steps + more);
      const reached = until(() => {
        for (const [i, { steps: taken }] of tallies.entries()) expect(taken).toBeGreaterThanOrEqual(aims[i]);
      });
      await Promise.race([reached, over]);
    },
  };
}

export const sumOf = (tallies: readonly Readonly<Tally>[], of: keyof Tally): number =>
  tallies.reduce((total, tally) => total + tally[of], 0);
