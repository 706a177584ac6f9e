/** Examples of the checks' request bodies, for the OpenAPI document. */
import type { Environment } from '../calls/call.js';
import { Calls } from '../calls/calls.js';
import type { Layer } from '../layers/definition.js';
import { JSON_TYPE } from './negotiation.js';

/** Examples by operation id. Computed without the configured limits, so that the document always has them. */
export async function checkExamples(
  layers: readonly Layer[],
  environment: Omit<Environment, 'limits'>,
): Promise<ReadonlyMap<string, object>> {
  const calls = new Calls(layers, { ...environment, limits: { operations: Infinity, resultBytes: Infinity } });
  const examples = layers.map(async (layer) => [`${layer.name}_check`, await exampleOf(layer, calls)] as const);
  return new Map(await Promise.all(examples));
}

/** The layer's example, with a correct claim. */
async function exampleOf({ name, reference }: Layer, calls: Calls): Promise<object> {
  const { forward, backward } = reference.example;
  const { pieces } = await calls.run({
    layer: name,
    direction: 'backward',
    contentType: JSON_TYPE,
    accept: JSON_TYPE,
    body: Buffer.from(JSON.stringify({ forward, ...backward })),
  });
  const gradients = JSON.parse(Buffer.concat(pieces).toString()) as Record<string, unknown>;
  return { forward, backward, claims: Object.fromEntries(Object.entries(gradients).slice(0, 1)) };
}
