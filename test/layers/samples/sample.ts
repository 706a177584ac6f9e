/** What the tests that run over all layers need to know about each of them. */
import type { Arbitrary } from 'fast-check';
import type { InFloat32 } from '../../check/float32/layers.js';
import type { Implementation } from '../../check/implementations/implementation.js';
import type { Configuration } from '../../support/arbitraries.js';
import type { NestedFields } from '../../support/reference.js';

export interface Sample {
  /** Random calls that cover all options. */
  readonly configuration: Arbitrary<Configuration>;
  /** The handwritten layer, correct or with one of its mistakes. */
  readonly implementation: Implementation;
  /** The layer with every operation rounded to float32; absent if it has no sums whose order could differ. */
  readonly inFloat32?: InFloat32;
  /** Calls whose results can be checked by hand. */
  readonly examples?: readonly Worked[];
  /** Forward requests that must be refused, each with its JSON Pointer and the exact message. */
  readonly refusals?: readonly (readonly [forward: object, pointer: string, says: string])[];
}

export interface Worked {
  readonly name: string;
  readonly forward: object;
  readonly answers: NestedFields;
  readonly backward: object;
  readonly gradients: NestedFields;
}
