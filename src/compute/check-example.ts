/** A request to check that works: the layer's example, and a claim of what is right. */
import type { TObject } from '@sinclair/typebox';
import { rightAnswers } from '../check/answers.js';
import type { Call, Checks } from '../check/definition.js';
import type { Kernels } from '../kernels/kernels.js';
import { sizeOf, tensor, type Shape, type Tensor } from '../tensor/tensor.js';
import { pick } from './request.js';
import { applyDefaults } from './validate.js';

type Nested = number | readonly Nested[];

function shapeOf(nested: Nested): number[] {
  return typeof nested === 'number' ? [] : [nested.length, ...shapeOf(nested[0])];
}

function flat(nested: Nested): number[] {
  return typeof nested === 'number' ? [nested] : nested.flatMap(flat);
}

function nest(values: readonly number[], [size, ...inner]: Shape): Nested {
  if (inner.length === 0) return values;
  const step = sizeOf(inner);
  return Array.from({ length: size }, (_, i) => nest(values.slice(i * step, (i + 1) * step), inner));
}

function tensorsOf(schema: TObject, request: Readonly<Record<string, unknown>>): Record<string, Tensor> {
  const given = Object.entries(schema.properties).filter(([name]) => name in request);
  return Object.fromEntries(
    given.map(([name, { 'x-tensor': element }]) => {
      const nested = request[name] as Nested;
      const values = element === 'integer' ? Int32Array.from(flat(nested)) : Float64Array.from(flat(nested));
      return [name, tensor(shapeOf(nested), values)];
    }),
  );
}

export function checkExample(checks: Checks, kernels: Kernels): object {
  const { reference, schemas } = checks.layer;
  const { forward, backward } = reference.example;
  const request: Record<string, unknown> = { ...forward };
  applyDefaults(schemas.options, request);
  const call: Call = {
    inputs: tensorsOf(schemas.inputs, request),
    options: pick(schemas.options, request),
    upstream: tensorsOf(schemas.upstream, backward as Record<string, unknown>),
    drawn: {},
  };
  const answers = rightAnswers(checks, call, kernels);
  const claims = Object.keys(schemas.gradients.properties).filter((name) => name in answers);
  const claimed = claims.slice(0, 1).map((name) => [name, nest(Array.from(answers[name].data), answers[name].shape)]);
  return { forward, backward, claims: Object.fromEntries(claimed) as object };
}
