/**
 * Two keys, with guessed and exchanged tokens: none gives access to a session of the other key.
 * `TESTS=all GUESSES=10000 npx vitest run test/resilience/isolation` is the long form.
 */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { randomNumbers } from '../support/random.js';
import { good, layerNames, type LayerName } from '../support/requests.js';
import { keysFile } from '../support/keys.js';
import { serve } from '../support/service.js';

const GUESSES = Number(process.env.GUESSES ?? 2000);

interface Owned {
  readonly layer: LayerName;
  readonly token: string;
  readonly owner: string;
}

it('gives no key access to a session of another', { timeout: 300_000 + GUESSES * 100 }, async () => {
  const { path, keys } = keysFile('ada', 'bob');
  const service = await serve({ API_KEYS_FILE: path, LOG_LEVEL: 'warn' });
  const ask = (method: string, path: string, key: string | undefined, body?: object) =>
    fetch(`${service.url}/${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });

  const owned: Owned[] = [];
  for (const owner of Object.values(keys))
    for (const layer of layerNames) {
      const response = await ask('POST', layer, owner, good[layer].forward);
      const { session } = (await response.json()) as { session: string };
      owned.push({ layer, token: session, owner });
    }

  const { next } = randomNumbers(3);
  const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(next() * values.length)];
  /** A token as an attacker may have it: another owner's, an altered one, or a random one. */
  const guess = ({ token }: Owned): string => {
    const at = Math.floor(next() * token.length);
    return pick([
      token,
      token,
      token.slice(0, at) + pick(['a', 'b', 'X', 'Z', '0', '9', '-', '_']) + token.slice(at + 1),
      token.toLowerCase(),
      token.slice(0, -1),
      `${token}A`,
      randomBytes(24).toString('base64url'),
    ]);
  };
  const unknown = new Set<string>();
  const crossed: string[] = [];
  for (let i = 0; i < GUESSES; i++) {
    const target = pick(owned);
    const thief = pick(Object.values(keys).filter((key) => key !== target.owner));
    const key = next() < 0.1 ? undefined : next() < 0.1 ? `${thief}x` : thief;
    const token = guess(target);
    const backward = { session: token, ...good[target.layer].backward, release: true };
    const response = await pick([
      () => ask('GET', `sessions/${token}?values=true`, key),
      () => ask('DELETE', `sessions/${token}`, key),
      () => ask('POST', `${target.layer}/backward`, key, backward),
    ])();
    const { detail } = (await response.json()) as { detail: string };
    if (response.status !== (key === thief ? 404 : 401)) crossed.push(`${response.status} for ${token}: ${detail}`);
    // The answer for another owner's session equals the one for a session that never existed.
    if (response.status === 404) unknown.add(detail.replace(/\. Call forward.*/, ''));
  }
  console.log(`isolation: ${GUESSES} guesses and swaps, ${crossed.length} crossed`);
  expect(crossed.slice(0, 3)).toEqual([]);
  expect(unknown.size).toBe(1);
  for (const { layer, token, owner } of owned)
    expect((await ask('POST', `${layer}/backward`, owner, { session: token, ...good[layer].backward })).status).toBe(
      200,
    );
});
