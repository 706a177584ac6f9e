/** What a format of requests and answers has to do. The service speaks two: see `json.ts` and `safetensors.ts`. */
import type { Tensor } from './tensor.js';

/** A request or an answer: tensors, and beside them what is none, as the session's token. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Format {
  readonly mediaType: string;
  write(fields: Readonly<Record<string, Tensor | Option>>): string | Uint8Array<ArrayBuffer>;
  /** @throws {Error} where the bytes are not of this format */
  read(bytes: ArrayBuffer): Fields;
}

export type Option = string | number | boolean;
