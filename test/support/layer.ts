/** Calls a layer directly: no codec, no session, no limits. */
import type { Static, TObject } from '@sinclair/typebox';
import { expect } from 'vitest';
import { applyDefaults } from '../../src/validation/validate.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { Cache, Decoded, Layer, Plan } from '../../src/layers/definition.js';
import { Refusal } from '../../src/refusal.js';
import { tensor, type FloatTensor, type IntegerTensor, type Tensor, type TensorData } from '../../src/tensor/tensor.js';
import { expectClose, flatten, shapeOf, TOLERANCE, type Nested } from './reference.js';

/** Calls forward immediately, and backward any number of times; absent options have their defaults. */
export function run<
  Inputs extends TObject,
  Options extends TObject,
  Outputs extends TObject,
  Upstream extends TObject,
  Gradients extends TObject,
  LayerPlan extends Plan,
  LayerCache extends Cache,
>(
  layer: Layer<Inputs, Options, Outputs, Upstream, Gradients, LayerPlan, LayerCache>,
  inputs: Decoded<Inputs>,
  options: Partial<Static<Options>> = {},
) {
  const complete: Record<string, unknown> = { ...options };
  applyDefaults(layer.schemas.options, complete);
  const plan = layer.plan(inputs, complete);
  const { outputs, cache } = layer.forward(inputs, plan, plain);
  return { outputs, backward: (upstream: Decoded<Upstream>) => layer.backward(cache, plan, upstream, plain) };
}

export function float64(values: Nested): FloatTensor {
  return tensor(shapeOf(values), Float64Array.from(flatten(values)));
}

export function float32(values: Nested): FloatTensor {
  return tensor(shapeOf(values), Float32Array.from(flatten(values)));
}

export function integers(values: Nested): IntegerTensor {
  return tensor(shapeOf(values), Int32Array.from(flatten(values)));
}

/** A tensor as nested arrays; undefined if there is none. */
export function nested(given: Tensor | undefined): Nested | undefined {
  if (!given) return undefined;
  const { shape, data } = given;
  const rows = (axis: number, start: number, size: number): Nested => {
    if (axis === shape.length) return data[start];
    const step = size / shape[axis];
    return Array.from({ length: shape[axis] }, (_, i) => rows(axis + 1, start + i * step, step));
  };
  return rows(0, 0, data.length);
}

/** Compares with the tolerance of the reference values. */
export function expectNear(actual: Tensor | undefined, expected: Nested): void {
  const tolerance = actual?.data instanceof Float32Array ? TOLERANCE.float32 : TOLERANCE.float64;
  expectClose({ tensor: actual }, { tensor: expected }, tolerance);
}

/** The kind, the place and the message of a refusal. */
export function refusalOf(call: () => unknown) {
  try {
    call();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    expect(error.places).toHaveLength(1);
    expect(error.places[0].detail).toBe(error.message);
    return { kind: error.kind, path: error.places[0].path, detail: error.message };
  }
  throw new Error('nothing was refused');
}

/** The array types of the fields, by name. */
export function arraysOf(fields: object): Record<string, string> {
  const tensors = Object.entries(fields).filter((entry): entry is [string, Tensor] => typeof entry[1] === 'object');
  return Object.fromEntries(tensors.map(([name, { data }]) => [name, nameOf(data)]));
}

function nameOf(data: TensorData): string {
  return data.constructor.name;
}
