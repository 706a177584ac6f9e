/** A slip of a part of a formula. */
import type { Node } from './language.js';

/** Ranks: slips of a sign or a factor are more usual than those of whole sums. */
export const RANK = {
  sign: 1,
  missing: 2,
  twice: 4,
  inverted: 5,
  function: 3,
  name: 6,
  shift: 3,
  index: 7,
  number: 5,
  mean: 3,
  assigned: 4,
  skipped: 6,
  never: 1,
  grouping: 5,
  transposed: 4,
  elsewhere: 8,
  offset: 7,
  moved: 7,
} as const;

/** One part replaced by each of several others. */
export interface Slip {
  readonly kind: keyof typeof RANK;
  readonly id: string;
  readonly by: Node;
  readonly wrong: string;
  readonly fix: string;
  /** Slips of one group are made together. */
  readonly group?: string;
  /** The part to mark, if it is not the whole. */
  readonly part?: Node;
}
