import type { Codec } from './codec.js';
import { json } from './json/json.js';
import { safetensors } from './safetensors/safetensors.js';

/** The byte formats by media type; the first is sent to clients that accept any type. */
export const codecs = {
  'application/json': json,
  'application/vnd.safetensors': safetensors,
} as const satisfies Record<string, Codec>;

export type MediaType = keyof typeof codecs;
export const mediaTypes = Object.keys(codecs) as MediaType[];
