import { isNearInteger, textOf } from './near-integer.js';

const LONGEST = 40;

/** A short description of a received value: a body may have megabytes where a number was expected. */
export function preview(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${value.length}`;
  if (typeof value === 'string') return JSON.stringify(shortened(value));
  if (isNearInteger(value)) return shortened(textOf(value));
  if (typeof value === 'object' && value !== null) return 'an object';
  if (value === Infinity || value === -Infinity) return 'a number beyond the range of float64';
  return Object.is(value, -0) ? '-0.0' : String(value);
}

function shortened(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
