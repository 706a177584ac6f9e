/** Forward and backward by turns, with every answer held against that of a service that nothing disturbs. */
import { expect } from 'vitest';
import { good, layerNames, type LayerName } from '../../support/requests.js';
import { randomNumbers } from '../../support/random.js';
import type { Client } from './client.js';

interface Step {
  readonly layer: LayerName;
  readonly forward: string;
  /** Backward's body around its token. */
  readonly backward: object;
  /** What backward answers. */
  readonly gradients: string;
}

/** The small request of every layer, and a batchnorm of some hundred kilobytes. */
function requests(): { layer: LayerName; forward: object; backward: object }[] {
  const { next } = randomNumbers(20_261_124);
  const matrix = () => Array.from({ length: 128 }, () => Array.from({ length: 64 }, next));
  return [
    // One seed, one mask: dropout answers alike each time.
    ...layerNames.map((layer) => ({ layer, ...good[layer] })),
    { layer: 'batchnorm', forward: { x: matrix() }, backward: { dout: matrix() } },
  ];
}

/** What an undisturbed service answers. */
export async function rehearse(client: Client): Promise<Step[]> {
  return Promise.all(
    requests().map(async ({ layer, forward, backward }) => {
      const { status, text } = await client.post(`${layer}/backward`, JSON.stringify({ forward, ...backward }));
      expect(status, text).toBe(200);
      return { layer, forward: JSON.stringify(forward), backward, gradients: text };
    }),
  );
}

export interface Tally {
  steps: number;
  /** Tokens that a later call did not know. */
  lost: number;
  wrong: number;
}

/** Takes training steps until `isOver`, and counts what must not be. */
export async function train(client: Client, steps: readonly Step[], isOver: () => boolean): Promise<Tally> {
  const tally: Tally = { steps: 0, lost: 0, wrong: 0 };
  for (let i = 0; !isOver(); i++) {
    const { layer, forward, backward, gradients } = steps[i % steps.length];
    const kept = await client.post(layer, forward);
    if (kept.status !== 200) throw new Error(`${layer}: ${kept.status} ${kept.text}`);
    const { session } = JSON.parse(kept.text) as { session: string };
    // Without "release": an answer that is cut off must be asked for again.
    const given = await client.post(`${layer}/backward`, JSON.stringify({ session, ...backward }));
    if (given.status === 404) tally.lost++;
    else if (given.text !== gradients) tally.wrong++;
    await client.ask('DELETE', `sessions/${session}`);
    tally.steps++;
  }
  return tally;
}
