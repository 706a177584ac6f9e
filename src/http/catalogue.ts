/** What a machine can read of a layer: its definition, in plain JSON. */
import type { TObject } from '@sinclair/typebox';
import type { Layer } from '../layers/definition.js';
import { describe, isOptional } from '../compute/validate.js';

function tensors(schema: TObject) {
  return Object.fromEntries(
    Object.entries(schema.properties)
      .filter(([, property]) => 'x-tensor' in property)
      .map(([name, property]) => [
        name,
        {
          shape: property['x-shape'] as string,
          element: property['x-tensor'] as string,
          description: property.description,
          required: !isOptional(property),
        },
      ]),
  );
}

function values(schema: TObject) {
  return Object.fromEntries(
    Object.entries(schema.properties)
      .filter(([, property]) => !('x-tensor' in property))
      .map(([name, property]) => [
        name,
        {
          description: property.description,
          expected: describe(property),
          required: !isOptional(property) && !('default' in property),
          ...('default' in property ? { default: property.default as unknown } : {}),
          schema: property,
        },
      ]),
  );
}

/** Where a layer's page of `docs/layers/` is served. */
export function referencePath(name: string): string {
  return `/docs/layers/${name}/`;
}

export function catalogueEntry({ name, reference, schemas }: Layer) {
  const { summary, dimensions, formulas, conventions, sources, example } = reference;
  return {
    layer: name,
    summary,
    reference: referencePath(name),
    dimensions,
    forward: {
      routes: [`POST /${name}/forward`, `POST /${name}`],
      tensors: tensors(schemas.inputs),
      options: values(schemas.options),
      answers: { ...tensors(schemas.outputs), ...values(schemas.outputs) },
      formulas: formulas.forward,
      example: example.forward,
    },
    backward: {
      routes: [`POST /${name}/backward`],
      tensors: tensors(schemas.upstream),
      answers: tensors(schemas.gradients),
      formulas: formulas.backward,
      example: { forward: example.forward, ...example.backward },
    },
    check: {
      routes: [`POST /${name}/check`, `POST /${name}/check/case`, `GET /${name}/check/case`],
      mistakes: `GET /layers/${name}/mistakes`,
    },
    conventions,
    sources,
  };
}
