/** The interface of a byte format. All formats carry the same names and shapes, and the same values to the last bit. */
import type { Path } from '../refusal.js';
import type { FloatDtype, Tensor } from '../tensor/tensor.js';
import type { Fields } from './fields.js';
import type { Words } from '../validation/words.js';

/** A partly read body: how a tensor is read depends on values that may come after it. */
export interface Body {
  /** The body as plain values; the values of tensors are unspecified. */
  readonly values: unknown;
  /** The dtype of the float tensors, if the format fixes it. */
  readonly dtype?: FloatDtype;
  /** @throws {Refusal} if there is no such tensor at `path` */
  floats(path: Path, dtype: FloatDtype): Tensor;
  integers(path: Path): Tensor;
  /**
   * Reads the rest of a body that is about to be refused: a body that is not in its format is refused for that reason,
   * whatever else is wrong with it.
   * @throws {Refusal} as `decode`
   */
  readRest(): void;
  /** The sequence that names the request's session, in a format that has them: forward starts one, backward continues it. */
  readonly sequence?: Sequence;
  /** How sentences name parts of this body; by default as in JSON. */
  readonly words?: Words;
  /** Maps a path of names to the place in the body, in a format that does not nest like JSON. */
  placeOf?(path: Path): Path;
}

/** The names of a body's tensors, and of the objects, or lists of objects, that contain tensors. */
export interface TensorNames {
  readonly [name: string]: true | TensorNames | readonly [TensorNames];
}

/** A session under an id that the client chooses, and whether the request starts or ends it. */
export interface Sequence {
  readonly id: string;
  readonly start: boolean;
  readonly end: boolean;
}

export interface Codec {
  /**
   * @param names of the tensors, for a format that does not distinguish them from other values
   * @param deepest maximum nesting depth, in a format that nests arrays and objects
   * @throws {Refusal} if the bytes are not in this format
   */
  decode(bytes: Buffer, names?: TensorNames, deepest?: number): Body;
  /** The bytes in pieces, in order; data that is already in memory is not copied. */
  encode(fields: Fields): readonly Uint8Array[];
}
