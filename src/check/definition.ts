/**
 * What is known of the ways in which a layer goes wrong.
 *
 * A layer is written here once more, as steps: small pure functions of what was given and of one another, forward and
 * backward, each named after what it makes. A mistake is data: the steps that it has otherwise. What the mistaken
 * implementation gives is the steps run with those in their places, and two mistakes at once are both put in.
 */
import type { Kernels } from '../kernels/kernels.js';
import type { Cache, Layer, Plan } from '../layers/definition.js';
import type { FloatArray, Tensor, TensorData } from '../tensor/tensor.js';
import type { Numbers } from './random.js';

export type Tensors = Readonly<Record<string, Tensor>>;
export type Options = Readonly<Record<string, unknown>>;

/** A call of a layer, forward and, where there is an upstream gradient, backward. All floats are float64. */
export interface Call {
  readonly inputs: Tensors;
  /** All of them, defaults filled in. */
  readonly options: Options;
  readonly upstream: Tensors;
  /** What chance decided in the implementation that is checked: its mask. */
  readonly drawn: Tensors;
}

/** A function for each thing that is made; it may read everything else that is. */
export type Steps<Given, Made> = {
  readonly [Name in keyof Made]: (state: Given & Made) => Made[Name];
};

/** One way to make a mistake: other steps, or the right steps on other things than were given. */
export interface Way<Given, Made> {
  /** What was written in this way, where it says more than the mistake's own. */
  readonly explanation?: string;
  readonly given?: (given: Given) => Partial<Given>;
  readonly steps?: Partial<Steps<Given, Made>>;
}

/** What a person reads of a mistake. */
export interface MistakeText {
  readonly id: string;
  /** Where it shows. */
  readonly tensors: readonly string[];
  /** What was probably written. */
  readonly explanation: string;
  /** What to write. */
  readonly fix: string;
  /** On which inputs it gives the right answer. */
  readonly hidden?: string;
  /** Options without which it cannot be made; one of several where there is a list of them. */
  readonly needs?: Options;
  /** How many spatial axes there must be at least. */
  readonly axes?: number;
}

export const spatialAxes = ({ inputs: { x } }: Call): number => x.shape.length - 2;

/** Whether a mistake can be made in this call. */
export function canBeMade({ needs = {}, axes = 0 }: MistakeText, call: Call): boolean {
  if (axes > 0 && spatialAxes(call) < axes) return false;
  return Object.entries(needs).every(([name, needed]) =>
    Array.isArray(needed) ? needed.includes(call.options[name]) : call.options[name] === needed,
  );
}

/** Options under which it can be made. */
export function neededOptions({ needs = {} }: Partial<Pick<MistakeText, 'needs'>>): Options {
  return Object.fromEntries(
    Object.entries(needs).map(([name, needed]) => [name, Array.isArray(needed) ? (needed[0] as unknown) : needed]),
  );
}

export interface Mistake<Given, Made> extends MistakeText {
  readonly ways: readonly Way<Given, Made>[];
}

/** Something that may have been computed in place of the right answer. */
export interface Alternative {
  readonly text: MistakeText;
  /** Nothing where the call does not answer it. */
  readonly tensor: (name: string) => Tensor | undefined;
  /** Forgets the values that were computed for `tensor`. */
  readonly release: () => void;
  /** Both at once; nothing where they change the same step. */
  readonly and: (other: Alternative) => Alternative | undefined;
}

/** An option that may have been read otherwise than the request has it. */
export interface Reading {
  readonly option: string;
  readonly value: unknown;
  /** As a clause: who reads it so. */
  readonly because: string;
}

/** Numbers by which results are divided or multiplied, by name; e.g. the size of the batch. */
export type Constants = Readonly<Record<string, number>>;

/** What a case is asked to be like. */
export interface Wish {
  readonly options?: Options;
  /** How many spatial axes x has. */
  readonly axes?: number;
}

/** A call to show mistakes with, before it has a dtype. */
export interface Example {
  readonly inputs: Tensors;
  readonly options: Options;
  /** Upstream gradients of these outputs. */
  readonly upstream: readonly string[];
  readonly drawn?: Tensors;
}

/** Something to know of the input, or of the claims, that is no mistake for sure. */
export interface Note {
  readonly id: string;
  readonly explanation: string;
}

/** What a layer's file in `mistakes/` gives; see {@link defineChecks}. */
export interface Checks {
  readonly layer: Layer;
  readonly mistakes: readonly MistakeText[];
  /** How many ways there are to make them: those that can be made in a call, or all. */
  readonly ways: (call?: Call) => number;
  /** How often the time of the kernels the steps take; the usual if absent. */
  readonly slowness?: number;
  /** Names of a tensor's axes, for sentences; the last stands for all that follow. */
  readonly axes: (tensor: string, options: Options, rank: number) => readonly string[];
  /** What the steps give with no mistake in them. */
  readonly plain: (call: Call, right: Tensors) => Alternative;
  /** @param right the right answers, for their shapes */
  readonly alternatives: (call: Call, right: Tensors, claims: Tensors) => readonly Alternative[];
  readonly constants: (call: Call) => Constants;
  /** Of what the call itself says. */
  readonly notes?: (call: Call) => readonly Note[];
  readonly readings: (options: Options) => readonly Reading[];
  /**
   * Random, small, and such that mistakes show.
   *
   * @param axes how many spatial axes it has, where the layer has some
   */
  readonly example: (numbers: Numbers, needs: Options, axes?: number) => Example;
  /** Whether x is [N, C, *]: a case can be asked for along one to three axes. */
  readonly spatial?: boolean;
  /** Options that make so much of a call that a case for it should have them too. */
  readonly kind?: (options: Options) => Options;
  /** Where the layer's own forward does not do: with what was drawn elsewhere. */
  readonly forward?: (call: Call, plan: Plan, kernels: Kernels) => { readonly outputs: Tensors; readonly cache: Cache };
}

interface Definition<Given extends object, Made extends object> extends Omit<
  Checks,
  'layer' | 'plain' | 'alternatives' | 'mistakes' | 'ways'
> {
  /** With the types of any layer: its own are narrower than what is known of a request here. */
  readonly layer: unknown;
  readonly given: (call: Call, claims: Tensors, right: Tensors) => Given;
  /** Those that make a tensor bear its name. */
  readonly steps: Steps<Given, Made>;
  readonly mistakes: readonly Mistake<Given, Made>[];
}

type Evaluate<Given, Made> = (given: Given, steps: Steps<Given, Made>) => Given & Made;

/**
 * The steps' results, each computed when it is first read. One prototype serves all that are evaluated: properties
 * that are defined one by one took 20 times as long as the arithmetic of a small input.
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

/** The result of a step: values in the right shape, or a tensor of another. */
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

  readonly tensor = (name: string): Tensor | undefined => {
    if (!(name in this.right)) return undefined;
    this.state ??= this.evaluated() as Record<string, unknown>;
    const result = this.state[name] as Result;
    if (result === undefined) return undefined;
    if (!ArrayBuffer.isView(result)) return result;
    const data: TensorData = result;
    return { dtype: data instanceof Float32Array ? 'float32' : 'float64', shape: this.right[name].shape, data };
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
  const { given, steps, mistakes, ...rest } = definition;
  const layer = definition.layer as Layer;
  const evaluate = evaluator<Given, Products>(Object.keys(steps));
  const made = (call: Call, right: Tensors, claims: Tensors) => {
    const base = { given: given(call, claims, right), steps, evaluate };
    return (text: MistakeText, way: Way<Given, Products>) => new Made(text, base, way, right);
  };
  return {
    ...rest,
    layer,
    mistakes: mistakes.map(({ ways: _, ...text }) => text),
    ways: (call) =>
      mistakes
        .filter((mistake) => call === undefined || canBeMade(mistake, call))
        .reduce((sum, { ways }) => sum + ways.length, 0),
    plain: (call, right) => made(call, right, {})(RIGHT, {}),
    alternatives: (call, right, claims) => {
      const make = made(call, right, claims);
      return mistakes.flatMap((mistake) =>
        mistake.ways.map((way) =>
          make(way.explanation === undefined ? mistake : { ...mistake, explanation: way.explanation }, way),
        ),
      );
    },
  };
}
