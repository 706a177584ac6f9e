/** A tensor as text: its numbers are rounded only once, to a dtype that the rest of the body may determine. */
import type { Path } from '../../refusal.js';
import type { FloatDtype, Tensor } from '../../tensor/tensor.js';
import { numberOf } from '../../validation/near-integer.js';
import { floatsOf, integersOf } from './nested.js';
import { exactFloat32 } from './wasm/exact.js';
import { parseTensor, type TensorSpan } from './wasm/numbers.js';

export class TensorText {
  /**
   * @param nested parses the text into arrays, for rare cases: a tensor that will be refused, or one that has escapes
   * in its strings or a number longer than a window of the fast reader
   */
  constructor(
    private readonly span: TensorSpan,
    private readonly nested: (toNumber: (literal: string) => unknown) => unknown,
  ) {}

  /** @throws {Refusal} as `floatsOf`; and invalid-json or duplicate-name */
  floats(dtype: FloatDtype, path: Path): Tensor {
    return (
      parseTensor(this.span, dtype) ?? floatsOf(this.nested(dtype === 'float32' ? exactFloat32 : Number), dtype, path)
    );
  }

  /** @throws {Refusal} as `integersOf`; and invalid-json or duplicate-name */
  integers(path: Path): Tensor {
    return parseTensor(this.span, 'int32') ?? integersOf(this.nested(numberOf), path);
  }

  /** @throws {Refusal} invalid-json or duplicate-name if the text, which was skipped, is not JSON */
  expectJson(): void {
    if (!parseTensor(this.span, 'float64')) this.nested(Number);
  }
}
