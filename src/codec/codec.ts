/** What a byte format does: both formats carry the same names and shapes, and give the same values to the last bit. */
import type { Path } from '../refusal.js';
import type { FloatDtype, Tensor } from '../tensor/tensor.js';
import type { Fields } from './fields.js';

/** A body between bytes and meaning: how a tensor is read depends on values that may stand behind it. */
export interface Body {
  /** The body as plain values; where a tensor stands, anything. */
  readonly values: unknown;
  /** Of the float tensors, where the format itself fixes it. */
  readonly dtype?: FloatDtype;
  /** @throws {Refusal} where what stands at `path` is no such tensor */
  floats(path: Path, dtype: FloatDtype): Tensor;
  integers(path: Path): Tensor;
  /**
   * Reads what has not been read of a body that is refused already: a text that is not of the format is refused for
   * that, whatever else is wrong with it.
   * @throws {Refusal} as `decode`
   */
  readRest(): void;
  /** Where in the body stands what has this path by its names, in a format that does not nest as JSON does. */
  placeOf?(path: Path): Path;
  /**
   * For a format in which a request names the results that it wants: holds them against those that there are.
   * @throws {Refusal} invalid-request or value-mismatch
   */
  expectResults?(results: Fields): void;
}

/** Names of a body's tensors, and of the objects in it that hold some, or lists of such objects. */
export interface TensorNames {
  readonly [name: string]: true | TensorNames | readonly [TensorNames];
}

export interface Codec {
  /**
   * @param names of the tensors, for a format that does not tell them from other values
   * @param deepest how many arrays and objects may stand in each other, in a format that nests them
   * @throws {Refusal} where the bytes are not of this format
   */
  decode(bytes: Buffer, names?: TensorNames, deepest?: number): Body;
  /** The bytes in pieces, in order: what lies in memory already is not copied. */
  encode(fields: Fields): readonly Uint8Array[];
}
