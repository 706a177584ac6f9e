/** The interface of a format of requests and responses. There are two: see `json.ts` and `safetensors.ts`. */
import type { Tensor } from './tensor.js';

/** A request or a response: tensors and other fields, such as the session token. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Format {
  readonly mediaType: string;
  write(fields: Readonly<Record<string, Tensor | Option>>): string | Uint8Array<ArrayBuffer>;
  /** @throws {Error} if the bytes are not in this format */
  read(bytes: ArrayBuffer): Fields;
}

export type Option = string | number | boolean;
