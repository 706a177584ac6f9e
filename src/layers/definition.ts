/**
 * The definition of a layer. Routes, validation, the OpenAPI document, the catalogue and the codecs are derived from it;
 * no other code contains the name of a layer.
 */
import type { Static, TObject } from '@sinclair/typebox';
import type { WireTensor } from '../../schemas/tensor.js';
import type { Kernels } from '../kernels/kernels.js';
import { refuse } from '../refusal.js';
import {
  formatShape,
  sameShape,
  type FloatTensor,
  type IntegerTensor,
  type MaskTensor,
  type Shape,
  type Tensor,
} from '../tensor/tensor.js';

/** A body's static type with every tensor as a typed array. */
export type Decoded<Schema extends TObject> = {
  [Name in keyof Static<Schema>]: DecodedValue<Static<Schema>[Name]>;
};
type DecodedValue<Value> =
  Value extends WireTensor<'float'>
    ? FloatTensor
    : Value extends WireTensor<'integer'>
      ? IntegerTensor
      : Value extends WireTensor<'mask'>
        ? MaskTensor
        : Value;

/** The cost of one direction, known from the shapes before anything is allocated. */
export interface Cost {
  /** Multiplications and additions each count as one. */
  readonly operations: number;
  /** Memory for results, for what a session keeps, and for computing. */
  readonly bytes: number;
}

/** What follows from shapes and options, before any arithmetic. Plain data: a session carries it to backward. */
export interface Plan {
  /** Shapes of the outputs that an upstream gradient may be given for, by name. */
  readonly outputs: Readonly<Record<string, Shape>>;
  readonly cost: { readonly forward: Cost; readonly backward: Cost };
}

/** The tensors that forward keeps for backward. */
export type Cache = Readonly<Record<string, Tensor>>;

/** In TeX, by what they are in plain text. */
export type Formulas = Readonly<Record<string, string>>;

/** The documentation of a layer. */
export interface Reference {
  readonly summary: string;
  /** Meaning of each letter in shapes and formulas. */
  readonly dimensions: Readonly<Record<string, string>>;
  readonly formulas: { readonly forward: Formulas; readonly backward: Formulas };
  /** Points on which frameworks and texts differ, and the convention of this layer. */
  readonly conventions: readonly string[];
  readonly sources: readonly string[];
  /** A valid request in JSON; `backward` without its session. */
  readonly example: { readonly forward: object; readonly backward: object };
}

export interface Layer<
  Inputs extends TObject = TObject,
  Options extends TObject = TObject,
  Outputs extends TObject = TObject,
  Upstream extends TObject = TObject,
  Gradients extends TObject = TObject,
  LayerPlan extends Plan = Plan,
  LayerCache extends Cache = Cache,
> {
  readonly name: string;
  readonly reference: Reference;
  readonly schemas: {
    readonly inputs: Inputs;
    readonly options: Options;
    readonly outputs: Outputs;
    readonly upstream: Upstream;
    readonly gradients: Gradients;
  };
  /**
   * Checks that shapes and options fit each other.
   * @throws {Refusal} shape-mismatch or value-mismatch, with the path of the field
   */
  plan(inputs: Decoded<Inputs>, options: Static<Options>): LayerPlan;
  forward(
    inputs: Decoded<Inputs>,
    plan: LayerPlan,
    kernels: Kernels,
  ): { readonly outputs: Decoded<Outputs>; readonly cache: LayerCache };
  /** The outputs of `forward` without its cache, for layers whose cache is expensive; used if no backward can follow. */
  infer?(inputs: Decoded<Inputs>, plan: LayerPlan, kernels: Kernels): Decoded<Outputs>;
  /** The shapes of `upstream` have been checked against `plan.outputs`. */
  backward(cache: LayerCache, plan: LayerPlan, upstream: Decoded<Upstream>, kernels: Kernels): Decoded<Gradients>;
}

/** Infers a layer's types from its schemas and functions. */
export function defineLayer<
  Inputs extends TObject,
  Options extends TObject,
  Outputs extends TObject,
  Upstream extends TObject,
  Gradients extends TObject,
  LayerPlan extends Plan,
  LayerCache extends Cache,
>(
  layer: Layer<Inputs, Options, Outputs, Upstream, Gradients, LayerPlan, LayerCache>,
): Layer<Inputs, Options, Outputs, Upstream, Gradients, LayerPlan, LayerCache> {
  return layer;
}

/**
 * @param because the reason why this shape is the expected one, as a clause
 * @throws {Refusal} shape-mismatch that names both shapes
 */
export function expectShape(name: string, given: Tensor | undefined, expected: Shape, because: string): void {
  if (!given || sameShape(given.shape, expected)) return;
  throw refuse(
    'shape-mismatch',
    [name],
    `${name} has shape ${formatShape(given.shape)}; expected ${formatShape(expected)}, because ${because}`,
  );
}

/**
 * Checks upstream gradients against the shapes of their outputs (`dout` against `out`).
 * @throws {Refusal} shape-mismatch that names both shapes
 */
export function expectUpstream(plan: Plan, upstream: Readonly<Record<string, Tensor | undefined>>): void {
  for (const [output, shape] of Object.entries(plan.outputs))
    expectShape(
      `d${output}`,
      upstream[`d${output}`],
      shape,
      `it is the gradient of ${output}, of shape ${formatShape(shape)}`,
    );
}

/** Omits undefined fields, so that an optional tensor that was not given has no key. */
export function present<Fields extends object>(
  fields: Fields,
): {
  [Name in keyof Fields as undefined extends Fields[Name] ? never : Name]: Fields[Name];
} & { [Name in keyof Fields as undefined extends Fields[Name] ? Name : never]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
