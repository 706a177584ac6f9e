/** A call of a layer as a whole: what it is given, forward and backward. */
import type { Tensor } from '../tensor/tensor.js';

export type Tensors = Readonly<Record<string, Tensor>>;
export type Options = Readonly<Record<string, unknown>>;

/** An instance of a layer, forward and, where there is an upstream gradient, backward. All floats are float64. */
export interface Instance {
  readonly inputs: Tensors;
  /** All options, with defaults filled in. */
  readonly options: Options;
  readonly upstream: Tensors;
  /** Random tensors that the checked implementation drew: the mask of dropout. */
  readonly drawn: Tensors;
}
