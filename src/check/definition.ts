/**
 * Known mistakes in implementations of a layer.
 *
 * Each layer is written a second time, as formulas (formulas/layers). A mistake is data: a text, and the formulas that
 * were written instead. Evaluating the layer's formulas with these replacements gives the result of the mistaken
 * implementation. Two mistakes at once replace the formulas of both.
 */
import type { KnownMistake, Note } from '../../schemas/check.js';
import type { Kernels } from '../kernels/kernels.js';
import type { Cache, Layer, Plan } from '../layers/definition.js';
import type { Instance, Options, Tensors } from '../layers/instance.js';
import type { Tensor } from '../tensor/tensor.js';
import type { WindowAxis } from '../tensor/windows.js';
import type { Bounds } from './bounds/bounds.js';
import type { Numbers } from './random.js';
import type { Rewritten } from '../formulas/rewritten.js';
import type { Formulas } from './written.js';
import { clausesOf, isIdleClause, namesInId, type Wording } from './wording.js';

export interface MistakeText extends KnownMistake {
  /** Option values that the mistake needs; of a list, any one. */
  readonly needs?: Options;
  /** Tensors and options that the instance must have, if they do not follow from the text; of a list, any one. */
  readonly concerns?: readonly (string | readonly string[])[];
}

/** Names of axes for which the statistics have additional findings. */
export const TIME = 'time step';
export const PLACE = 'place';

export const spatialAxes = ({ inputs: { x } }: Instance): number => x.shape.length - 2;

/**
 * Whether a mistake can be made in this instance. It cannot if it concerns a tensor that was not given, or an option
 * that has no effect (such as a padding of 0). What it concerns follows from its id, its explanation and its condition.
 */
export function canBeMade(text: MistakeText, instance: Instance, { absent, names, wording }: Absences): boolean {
  const { id, explanation, hidden = '', needs = {}, axes = 0, concerns } = text;
  if (axes > 0 && spatialAxes(instance) < axes) return false;
  const fits = ([name, needed]: [string, unknown]) =>
    Array.isArray(needed) ? needed.includes(instance.options[name]) : instance.options[name] === needed;
  if (!Object.entries(needs).every(fits)) return false;
  if (concerns) return concerns.every((names) => [names].flat().some((name) => !absent.has(name)));
  if (wording.isStray(wording.apt(explanation))) return false;
  const [condition] = clausesOf(hidden);
  const inId = namesInId(id, names);
  return ![...absent].some((name) => inId.includes(name) || isIdleClause(condition, [name]));
}

/** Tests whether the options of windows have no effect: a stride of 1, a dilation of 1, no padding. */
export const idleWindows = (axesOf: (instance: Instance) => readonly WindowAxis[]) => ({
  stride: (instance: Instance) => axesOf(instance).every(({ stride }) => stride === 1),
  dilation: (instance: Instance) => axesOf(instance).every(({ dilation }) => dilation === 1),
  padding: (instance: Instance) => axesOf(instance).every(({ before, after }) => before === 0 && after === 0),
});

/** The tensors that an instance lacks, and the options that have no effect in it. */
export interface Absences {
  /** All optional tensors, and all options that may have no effect. */
  readonly names: readonly string[];
  readonly absent: ReadonlySet<string>;
  readonly wording: Wording;
}

/** The text of a mistake, worded for an instance in which it can be made. */
export function worded(text: MistakeText, { apt }: Wording, options: readonly string[]): MistakeText {
  const hidden = clausesOf(text.hidden ?? '')
    .filter((clause) => !isIdleClause(clause, options))
    .join(', or ');
  const { hidden: _, ...rest } = text;
  const sentences = { explanation: apt(text.explanation), fix: apt(text.fix) };
  return { ...rest, ...sentences, ...(hidden ? { hidden: apt(hidden) } : {}) };
}

/** Options under which a mistake can be made: the first value of each list. */
export function neededOptions({ needs = {} }: Partial<Pick<MistakeText, 'needs'>>): Options {
  return Object.fromEntries(
    Object.entries(needs).map(([name, needed]) => [name, Array.isArray(needed) ? (needed[0] as unknown) : needed]),
  );
}

/** A result that may have been computed instead of the right one. */
export interface Alternative {
  readonly text: MistakeText;
  /** Whether part of it was chosen to fit the claim. */
  readonly isFitted: boolean;
  /** Returns `undefined` if the instance has no such result. */
  readonly tensor: (name: string) => Tensor | undefined;
  /** Forgets the values that were computed for `tensor`. */
  readonly release: () => void;
  /** What is evaluated for it, if it is a change of the layer's own formulas. */
  readonly edit?: Pick<Rewritten, 'change' | 'lines'>;
  /** Applies both; undefined if they change the same formula or given values, or cannot be combined. */
  readonly and: (other: Alternative) => Alternative | undefined;
}

/** Another value that an implementation may have used for an option. */
export interface Reading {
  readonly option: string;
  readonly value: unknown;
  /** A phrase that says what the value means; absent if the value is self-explanatory. */
  readonly because?: string;
}

/** Named numbers by which results may be multiplied or divided, such as the batch size. */
export type Constants = Readonly<Record<string, number>>;

/** What a requested case must have. */
export interface Wish {
  readonly options?: Options;
  /** How many spatial axes x has. */
  readonly axes?: number;
}

/** An instance that exposes mistakes; its upstream gradients are drawn later. */
export interface Example {
  readonly inputs: Tensors;
  readonly options: Options;
  /** Upstream gradients of these outputs. */
  readonly upstream: readonly string[];
  readonly drawn?: Tensors;
}

/** The export of a layer's file in `mistakes/`; see `define.ts`. */
export interface Checks {
  readonly layer: Layer;
  readonly mistakes: readonly MistakeText[];
  /** Number of ways to make the mistakes: those possible in the instance, or all without an instance. */
  readonly ways: (instance?: Instance) => number;
  /** Bounds on the rounding error of each element of an answer. */
  readonly bounds: Bounds;
  /** Time to evaluate the formulas, as a multiple of the kernels' time; a default if absent. */
  readonly slowness?: number;
  /** Names of a tensor's axes, for sentences; the last one names all that follow. */
  readonly axes: (tensor: string, options: Options, rank: number) => readonly string[];
  /** Names of the equal blocks that an axis of this name consists of, such as the gates of a recurrent cell. */
  readonly blocks?: Readonly<Record<string, readonly string[]>>;
  /** The result of the formulas without any mistake. */
  readonly plain: (instance: Instance, right: Tensors) => Alternative;
  /**
   * The results of the mistakes possible in the instance, one for each way.
   *
   * @param right the right answers
   * @param formulas those of the instance, if they have been evaluated already
   */
  readonly alternatives: (
    instance: Instance,
    right: Tensors,
    claims: Tensors,
    formulas?: Formulas,
  ) => readonly Alternative[];
  /** The formulas of the layer, evaluated. */
  readonly formulas: (instance: Instance, right: Tensors) => Formulas;
  readonly constants: (instance: Instance) => Constants;
  /** Notes about the instance itself. */
  readonly notes?: (instance: Instance) => readonly Note[];
  /** Answers that rounding cannot make negative. */
  readonly nonNegative?: (instance: Instance) => readonly string[];
  readonly readings: (options: Options) => readonly Reading[];
  /** Options that may do nothing, and whether they do nothing in an instance. */
  readonly idle?: Readonly<Record<string, (instance: Instance) => boolean>>;
  /** Optional tensors that the instance lacks, and options that do nothing in it. */
  readonly absent: (instance: Instance) => ReadonlySet<string>;
  /**
   * A small random example that exposes mistakes.
   *
   * @param axes number of spatial axes, for layers that have them
   */
  readonly example: (numbers: Numbers, needs: Options, axes?: number) => Example;
  /** Whether x is [N, C, *], so that a case may have one to three spatial axes. */
  readonly spatial?: boolean;
  /** Options that determine the kind of an instance, such as `mode`: a case for it should have the same. */
  readonly kind?: (options: Options) => Options;
  /** Replaces the layer's forward if that cannot use what was drawn elsewhere, such as a mask. */
  readonly forward?: (
    instance: Instance,
    plan: Plan,
    kernels: Kernels,
  ) => { readonly outputs: Tensors; readonly cache: Cache };
}
