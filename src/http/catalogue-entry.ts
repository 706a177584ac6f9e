/** The definition of a layer as plain JSON, for programs to read. */
import type { TObject } from '@sinclair/typebox';
import { CheckFields } from '../../schemas/check.js';
import { BackwardFields, ForwardFields } from '../../schemas/request.js';
import type { Formulas, Layer } from '../layers/definition.js';
import { describe } from '../validation/describe.js';
import { isOptional } from '../validation/validate.js';

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
          // Defaults that depend on the dtype.
          ...('x-defaults' in property ? { defaults: property['x-defaults'] as unknown } : {}),
          schema: property,
        },
      ]),
  );
}

function columns(formulas: Formulas) {
  return { formulas: Object.keys(formulas), tex: Object.values(formulas) };
}

/** The path of a layer's page from `docs/layers/`. */
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
      request: values(ForwardFields),
      answers: { ...tensors(schemas.outputs), ...values(schemas.outputs) },
      ...columns(formulas.forward),
      example: example.forward,
    },
    backward: {
      routes: [`POST /${name}/backward`],
      tensors: tensors(schemas.upstream),
      request: values(BackwardFields),
      answers: tensors(schemas.gradients),
      ...columns(formulas.backward),
      example: { forward: example.forward, ...example.backward },
    },
    check: {
      routes: [`POST /${name}/check`, `POST /${name}/check/case`, `GET /${name}/check/case`],
      request: values(CheckFields),
      mistakes: `GET /layers/${name}/mistakes`,
    },
    conventions,
    sources,
  };
}
