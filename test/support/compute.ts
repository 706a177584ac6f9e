/** Calls layers without HTTP, as the routes do. */
import { computationOf, type Computation } from '../../src/compute/computation.js';
import type { Body } from '../../src/codec/codec.js';
import type { Field } from '../../src/codec/fields.js';
import { json } from '../../src/codec/json/json.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { Kernels } from '../../src/kernels/kernels.js';
import { layers } from '../../src/layers/registry.js';
import { MemoryStore } from '../../src/sessions/memory.js';
import type { Tensor } from '../../src/tensor/tensor.js';

export const layerNames = layers.map(({ name }) => name);

/** A layer's computation with a memory store of its own and limits that no test reaches. */
export function computation(name: string, kernels: Kernels = plain): Computation {
  const layer = layers.find((candidate) => candidate.name === name);
  if (!layer) throw new Error(`no layer ${name}`);
  return computationOf(layer, {
    kernels,
    limits: { operations: 1e12, resultBytes: 2 ** 40 },
    sessions: new MemoryStore({ ttlMs: 60_000, budgetBytes: 2 ** 30 }),
    draw: () => 1,
    inlineOperations: Infinity,
  });
}

/** A body as the JSON codec gives it. */
export function bodyOf(values: object): Body {
  return json.decode(Buffer.from(JSON.stringify(values)));
}

export function asTensor(field: Field): Tensor {
  return field as unknown as Tensor;
}
