/** Mistakes that any layer can have. They are data, too: a text, and a function that finds the mistake in a claim. */
import type { Measured, Tolerance } from '../compare.js';
import type { Instance, Tensors } from '../../layers/instance.js';
import type { Constants, MistakeText, Reading } from '../definition.js';

/** A wrong claim, and everything that it may have been computed from. */
export interface Claim extends Pick<Instance, 'inputs' | 'options' | 'upstream'> {
  readonly name: string;
  readonly claimed: Measured;
  readonly right: Measured;
  readonly tolerance: Tolerance;
  /** Wrong elements that count as evidence; see evidence.ts. */
  readonly explained: number;
  /** Names of the axes; the last one names all that follow. */
  readonly axes: readonly string[];
  readonly constants: Constants;
  /** The right values of every tensor. */
  readonly answers: Tensors;
  /** Whether this is what the layer computes when every upstream gradient is 1. */
  readonly isForOnes: () => boolean;
  /** Other readings of the options under which this is what the layer computes. */
  readonly readings: () => readonly Reading[];
}

export type Sentences = Pick<MistakeText, 'explanation' | 'fix'>;

export interface GenericMistake extends Omit<MistakeText, 'tensors'> {
  readonly isOfGradients?: boolean;
  /** How many numbers or orders are fitted to the claim. Absent if the search weighs the evidence of all claims. */
  readonly fitted?: 0 | 1;
  /** Sentences that replace the general ones; `undefined` or an empty list if the mistake was not made. */
  readonly find: (claim: Claim) => Partial<Sentences> | readonly Sentences[] | undefined;
}
