/**
 * The state as the fragment of the address, which browsers do not send: `#/linear?x=[[1,2]]&at=out,0,1`. Brackets are
 * read as they are, but written percent-encoded.
 */
import type { Cell } from '../explain/explanation.js';
import { isTensor, type Nested } from '../tensors/tensor.js';
import type { State } from './state.js';

/** In characters. Browsers accept two million; the programs in which people share links accept fewer. */
export const LONGEST = 500_000;

/** Prefixes of the names of options, upstream gradients and claims; a name without a prefix is an input. */
const MARKS = { options: '.', upstream: '-', claims: '!' } as const;

/** Percent-encodes text, except for commas, colons and slashes: they are legible, and not part of the syntax. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/%(2C|3A|2F)/g, decodeURIComponent);
}

export function writeAddress({ layer, inputs, options, upstream, claims, pinned }: State): string {
  const pairs = [
    ...Object.entries(inputs),
    ...Object.entries(options).map(([name, value]) => [MARKS.options + name, value] as const),
    ...Object.entries(upstream).map(([name, value]) => [MARKS.upstream + name, value] as const),
    ...Object.entries(claims).map(([name, value]) => [MARKS.claims + name, value] as const),
  ].map(([name, value]) => `${name}=${encode(JSON.stringify(value))}`);
  if (pinned) pairs.push(`at=${encode([pinned.tensor, ...pinned.index].join(','))}`);
  return `#/${layer}?${pairs.join('&')}`;
}

/** @returns `undefined` if the address does not name one of the layers; parts that cannot be read are left out */
export function readAddress(hash: string, layers: readonly string[]): { layer: string; state?: State } | undefined {
  const [, layer, query] = /^#\/([a-z_]+)(?:\?(.*))?$/s.exec(hash) ?? [];
  if (!layers.includes(layer)) return undefined;
  if (!query) return { layer };
  const parts = {
    inputs: {} as Record<string, Nested>,
    options: {} as Record<string, unknown>,
    upstream: {} as Record<string, Nested>,
    claims: {} as Record<string, Nested>,
  };
  let pinned: Cell | undefined;
  for (const pair of query.split('&')) {
    const [name, text] = split(pair);
    if (name === 'at') {
      const [tensor, ...places] = text.split(',');
      const index = places.map(Number);
      if (index.every(Number.isInteger)) pinned = { tensor, index };
      continue;
    }
    const value = jsonOf(text);
    if (value === undefined) continue;
    const part = (Object.keys(MARKS) as (keyof typeof MARKS)[]).find((each) => name.startsWith(MARKS[each]));
    if (part === 'options') parts.options[name.slice(1)] = value;
    else if (isTensor(value)) parts[part ?? 'inputs'][part ? name.slice(1) : name] = value;
  }
  return { layer, state: { layer, ...parts, pinned } };
}

function split(pair: string): [string, string] {
  const at = pair.indexOf('=');
  try {
    return [pair.slice(0, at), decodeURIComponent(pair.slice(at + 1))];
  } catch {
    return [pair.slice(0, at), ''];
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
