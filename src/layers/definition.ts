/**
 * What a layer is. Routes, validation, the OpenAPI document, the catalogue and the codecs are made from this alone;
 * nothing else knows a layer's name.
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

/** What one direction asks of the machine, known from shapes before anything is allocated. */
export interface Cost {
  /** Multiplications and additions each count as one. */
  readonly operations: number;
  /** Of results, of what a session keeps, and of working memory. */
  readonly bytes: number;
}

/** What follows from shapes and options, before any arithmetic. Plain data: a session carries it to backward. */
export interface Plan {
  /** Shapes of the outputs that an upstream gradient may be given for, by name. */
  readonly outputs: Readonly<Record<string, Shape>>;
  readonly cost: { readonly forward: Cost; readonly backward: Cost };
}

/** What forward leaves for backward. */
export type Cache = Readonly<Record<string, Tensor>>;

/** What a person wants to know of a layer. */
export interface Reference {
  readonly summary: string;
  /** Meaning of each dimension letter. */
  readonly dimensions: Readonly<Record<string, string>>;
  readonly formulas: { readonly forward: readonly string[]; readonly backward: readonly string[] };
  /** Where the field splits, and which way this layer goes. */
  readonly conventions: readonly string[];
  readonly sources: readonly string[];
  /** A request that works, in JSON; `backward` without its session. */
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
   * Holds shapes and options against each other.
   * @throws {Refusal} shape-mismatch or value-mismatch, with the place
   */
  plan(inputs: Decoded<Inputs>, options: Static<Options>): LayerPlan;
  forward(
    inputs: Decoded<Inputs>,
    plan: LayerPlan,
    kernels: Kernels,
  ): { readonly outputs: Decoded<Outputs>; readonly cache: LayerCache };
  /** What `forward` puts out, for layers whose cache takes time to keep: where no way back is asked for. */
  infer?(inputs: Decoded<Inputs>, plan: LayerPlan, kernels: Kernels): Decoded<Outputs>;
  /** `upstream` has been held against `plan.outputs`. */
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
 * Holds upstream gradients against the shapes of the outputs that they belong to (`dout` to `out`).
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

/** Leaves out what is undefined, so that an optional tensor that was not given has no key. */
export function present<Fields extends object>(
  fields: Fields,
): {
  [Name in keyof Fields as undefined extends Fields[Name] ? never : Name]: Fields[Name];
} & { [Name in keyof Fields as undefined extends Fields[Name] ? Name : never]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
