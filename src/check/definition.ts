/**
 * Known mistakes in implementations of a layer.
 *
 * Each layer is written a second time, as steps: small pure functions of the inputs and of each other, forward and
 * backward, each named after its result. A mistake is data: the steps that it replaces. Running the steps with these
 * replacements gives the result of the mistaken implementation. Two mistakes at once replace the steps of both.
 */
import type { KnownMistake, Note } from '../../schemas/check.js';
import type { Kernels } from '../kernels/kernels.js';
import type { Cache, Layer, Plan } from '../layers/definition.js';
import type { Instance, Options, Tensors } from '../layers/instance.js';
import { sizeOf, tensor, type FloatArray, type Tensor } from '../tensor/tensor.js';
import type { WindowAxis } from '../tensor/windows.js';
import type { Bounds } from './bounds/bounds.js';
import type { Numbers } from './random.js';
import { clausesOf, isIdleClause, namesInId, wordingWithout, type Wording } from './wording.js';

/** One function per result; it may read the inputs and every other result. */
export type Steps<Given, Made> = {
  readonly [Name in keyof Made]: (state: Given & Made) => Made[Name];
};

/** One way to make a mistake: replaced steps, or the right steps on changed inputs. */
export interface Way<Given, Made> {
  /** Replaces the explanation of the mistake by a more specific one. */
  readonly explanation?: string;
  /** Whether it is derived from the claim, and so fits many claims. */
  readonly isFitted?: boolean;
  readonly given?: (given: Given) => Partial<Given>;
  readonly steps?: Partial<Steps<Given, Made>>;
}

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

/** Where there is only one way to make a mistake, that is written in the mistake itself. */
type Ways<Given, Made> = Way<Given, Made> | { readonly ways: readonly Way<Given, Made>[] };
export type Mistake<Given, Made> = MistakeText & Ways<Given, Made>;

/** Mistakes that share their tensors or needs, except for those that state their own. */
export function sharing<Given, Made, Shared extends keyof MistakeText>(
  shared: Pick<MistakeText, Shared>,
  mistakes: readonly (Partial<MistakeText> & Omit<MistakeText, NoInfer<Shared>> & NoInfer<Ways<Given, Made>>)[],
): readonly Mistake<Given, Made>[] {
  return mistakes.map((mistake) => ({ ...shared, ...mistake }) as unknown as Mistake<Given, Made>);
}

/** A mistake's text and its ways apart. */
function split<Given, Made>({
  given,
  steps,
  isFitted,
  ways = [{ given, steps, isFitted } as Way<Given, Made>],
  ...text
}: MistakeText & Way<Given, Made> & { readonly ways?: readonly Way<Given, Made>[] }) {
  return { text, ways };
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
  /** Applies both; undefined if they change the same step. */
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

/** The export of a layer's file in `mistakes/`; see {@link defineChecks}. */
export interface Checks {
  readonly layer: Layer;
  readonly mistakes: readonly MistakeText[];
  /** Number of variants: those possible in the instance, or all without an instance. */
  readonly ways: (instance?: Instance) => number;
  /** Bounds on the rounding error of each element of an answer. */
  readonly bounds: Bounds;
  /** Time of the steps as a multiple of the kernels' time; a default if absent. */
  readonly slowness?: number;
  /** Names of a tensor's axes, for sentences; the last one names all that follow. */
  readonly axes: (tensor: string, options: Options, rank: number) => readonly string[];
  /** Names of the equal blocks that an axis of this name consists of, such as the gates of a recurrent cell. */
  readonly blocks?: Readonly<Record<string, readonly string[]>>;
  /** The result of the steps without any mistake. */
  readonly plain: (instance: Instance, right: Tensors) => Alternative;
  /**
   * The variants possible in the instance.
   *
   * @param right the right answers, for their shapes
   */
  readonly alternatives: (instance: Instance, right: Tensors, claims: Tensors) => readonly Alternative[];
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

interface Definition<Given extends object, Made extends object> extends Omit<
  Checks,
  'layer' | 'plain' | 'alternatives' | 'mistakes' | 'ways' | 'absent'
> {
  /** A {@link Layer}; `unknown` because its types are narrower than those of the requests checked here. */
  readonly layer: unknown;
  readonly given: (instance: Instance, claims: Tensors, right: Tensors) => Given;
  /** A step that makes a tensor has the name of the tensor. */
  readonly steps: Steps<Given, Made>;
  readonly mistakes: readonly Mistake<Given, Made>[];
}

type Evaluate<Given, Made> = (given: Given, steps: Steps<Given, Made>) => Given & Made;

/**
 * Computes the result of each step when it is first read. All evaluations share one prototype: defining the properties
 * for each evaluation took 20 times as long as the arithmetic of a small input.
 */
function evaluator<Given extends object, Made extends object>(names: readonly string[]): Evaluate<Given, Made> {
  class State {
    readonly made: Record<string, unknown> = {};
    constructor(readonly steps: Record<string, (state: unknown) => unknown>) {}
  }
  for (const name of names)
    Object.defineProperty(State.prototype, name, {
      get(this: State) {
        if (!(name in this.made)) this.made[name] = this.steps[name](this);
        return this.made[name];
      },
    });
  return (given, steps) =>
    Object.assign(new State(steps as Record<string, (state: unknown) => unknown>), given) as unknown as Given & Made;
}

/** The result of a step: values in the right shape, or a tensor of another shape. */
type Result = FloatArray | Int32Array | Tensor | undefined;

interface Base<Given, Products> {
  readonly given: Given;
  readonly steps: Steps<Given, Products>;
  readonly evaluate: Evaluate<Given, Products>;
}

class Made<Given extends object, Products extends object> implements Alternative {
  private state: Record<string, unknown> | undefined;

  constructor(
    readonly text: MistakeText,
    private readonly base: Base<Given, Products>,
    private readonly way: Way<Given, Products>,
    private readonly right: Tensors,
  ) {}

  get isFitted(): boolean {
    return this.way.isFitted === true;
  }

  readonly tensor = (name: string): Tensor | undefined => {
    if (!(name in this.right)) return undefined;
    this.state ??= this.evaluated() as Record<string, unknown>;
    const result = this.state[name] as Result;
    if (result === undefined) return undefined;
    if (!ArrayBuffer.isView(result)) return result;
    const { shape } = this.right[name];
    // One mean of the whole batch is no mean of each channel.
    return tensor(sizeOf(shape) === result.length ? shape : [result.length], result);
  };

  readonly release = (): void => {
    this.state = undefined;
  };

  readonly and = (other: Alternative): Alternative | undefined => {
    if (!(other instanceof Made)) return undefined;
    const second = other as Made<Given, Products>;
    const [a, b] = [this.way, second.way];
    if (Object.keys(a.steps ?? {}).some((name) => name in (b.steps ?? {}))) return undefined;
    const given = (start: Given): Partial<Given> => {
      const first = a.given?.(start) ?? {};
      return { ...first, ...b.given?.({ ...start, ...first }) };
    };
    const text = {
      id: `${this.text.id}+${second.text.id}`,
      tensors: this.text.tensors.filter((name) => second.text.tensors.includes(name)),
      explanation: `Two mistakes at once. ${this.text.explanation} ${second.text.explanation}`,
      fix: this.text.fix === second.text.fix ? this.text.fix : `${this.text.fix}; and ${second.text.fix}`,
    };
    const steps = { ...a.steps, ...b.steps } as Partial<Steps<Given, Products>>;
    return new Made(text, this.base, { given, steps }, this.right);
  };

  private evaluated(): Given & Products {
    const { given, steps, evaluate } = this.base;
    return evaluate({ ...given, ...this.way.given?.(given) }, { ...steps, ...this.way.steps });
  }
}

const RIGHT: MistakeText = { id: 'none', tensors: [], explanation: '', fix: '' };

export function defineChecks<Given extends object, Products extends object>(
  definition: Definition<Given, Products>,
): Checks {
  const { given, steps, ...rest } = definition;
  const mistakes = definition.mistakes.map(split);
  const layer = definition.layer as Layer;
  const evaluate = evaluator<Given, Products>(Object.keys(steps));
  const made = (instance: Instance, right: Tensors, claims: Tensors) => {
    const base = { given: given(instance, claims, right), steps, evaluate };
    return (text: MistakeText, way: Way<Given, Products>) => new Made(text, base, way, right);
  };
  const { idle = {} } = rest;
  const { inputs, upstream } = layer.schemas;
  const optional = Object.keys(inputs.properties).filter((name) => !inputs.required?.includes(name));
  const gradients = optional.map((name) => `d${name}`);
  const names = [...optional, ...gradients, ...Object.keys(upstream.properties), ...Object.keys(idle)];
  const absent = (instance: Instance) => {
    const given = { ...instance.inputs, ...instance.upstream };
    const isAbsent = (name: string) => {
      if (name in idle) return idle[name](instance);
      return !((gradients.includes(name) ? name.slice(1) : name) in given);
    };
    return new Set(names.filter(isAbsent));
  };
  const absencesOf = (instance: Instance): Absences => {
    const lacking = absent(instance);
    return { names, absent: lacking, wording: wordingWithout(lacking) };
  };
  const possible = (instance: Instance, absences = absencesOf(instance)) =>
    mistakes.filter(({ text }) => canBeMade(text, instance, absences));
  return {
    ...rest,
    layer,
    mistakes: mistakes.map(({ text }) => text),
    ways: (instance) =>
      (instance === undefined ? mistakes : possible(instance)).reduce((sum, { ways }) => sum + ways.length, 0),
    absent,
    plain: (instance, right) => made(instance, right, {})(RIGHT, {}),
    alternatives: (instance, right, claims) => {
      const make = made(instance, right, claims);
      const absences = absencesOf(instance);
      const { apt } = absences.wording;
      return possible(instance, absences).flatMap((mistake) => {
        const text = worded(mistake.text, absences.wording, Object.keys(idle));
        return mistake.ways.map((way) =>
          make(way.explanation === undefined ? text : { ...text, explanation: apt(way.explanation) }, way),
        );
      });
    },
  };
}
