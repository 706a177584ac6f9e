/**
 * The bench of mutants: textbook implementations of every layer, each changed by one edit as fingers slip, and given to
 * the check. It counts how many of them the check explains.
 */

/** A tensor as nested arrays, the way textbook code has it. */
export type Nested = number | Nested[];

/** What an implementation returns: outputs and gradients by their names in the API, as nested arrays. */
export type Answers = Readonly<Record<string, unknown>>;

/** The default export of an implementation; it takes one flat object of inputs, options, upstream gradients and masks. */
export type Implementation = (given: never) => Answers;

/** How fingers slip. */
export const TYPICAL_KINDS = [
  'sign',
  'operator',
  'term dropped',
  'term repeated',
  'factor dropped',
  'factor repeated',
  'divisor dropped',
  'assigned or accumulated',
  'other variable',
  'index exchanged',
  'index off by one',
  'bound off by one',
  'loop reversed',
  'constant',
  'function',
  'condition',
  'branches exchanged',
  'statement left out',
  'arguments exchanged',
  'transposition',
] as const;

export type Kind = (typeof TYPICAL_KINDS)[number] | 'other';

/** A replacement of one span of an implementation's source. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly kind: Kind;
  /** What was done, as a clause: `the factor gamma[c] was dropped`. */
  readonly description: string;
}

/** One implementation, as it is on disk. */
export interface Original {
  readonly layer: string;
  readonly style: string;
  readonly file: string;
  readonly source: string;
}

export interface Mutant {
  readonly original: Original;
  readonly edit: Pick<Edit, 'start' | 'end' | 'text'>;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly kind: Kind;
  /** The changed lines, without indentation. */
  readonly before: string;
  readonly after: string;
  readonly description: string;
  /** Names of the quantities in the changed statement, and of those that it is assigned to. */
  readonly quantities: readonly string[];
}
