/** The state as the part of an address behind `#`, which browsers keep to themselves: `#/linear?x=[[1,2]]&at=out[0,1]`. */
import type { Cell } from '../explain/explanation.js';
import { isTensor, type Nested } from '../tensors/tensor.js';
import type { State } from './state.js';

/** Browsers take two million characters; what people send each other takes fewer. */
export const LONGEST = 500_000;

/** What marks the name of an option, of an upstream gradient and of a claim; a bare name is an input. */
const MARKS = { options: '.', upstream: '-', claims: '!' } as const;

/** Leaves what is legible in an address, and no part of the syntax, as it is. */
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

/** @returns `undefined` where the address names no layer of these; what cannot be read in it is left out */
export function readAddress(hash: string, layers: readonly string[]): { layer: string; state?: State } | undefined {
  const [, layer, query] = /^#\/([a-z]+)(?:\?(.*))?$/s.exec(hash) ?? [];
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
      const [tensor, ...index] = text.split(',');
      pinned = { tensor, index: index.map(Number) };
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
