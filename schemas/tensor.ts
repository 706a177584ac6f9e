import { Kind, Type, TypeRegistry, type TUnsafe } from '@sinclair/typebox';

/**
 * Static type of a tensor in a body. On the wire it is a nested array (or an entry of a safetensors file); the
 * codecs turn it into a typed array before anything else sees it, so no other code ever holds this type's value.
 */
export interface WireTensor<Element extends 'float' | 'integer' | 'mask'> {
  readonly element: Element;
}

// A tensor is checked once, by the codec that reads it: to the compiled check of a body it is anything that is there.
TypeRegistry.Set('Tensor', (_schema, value) => value !== undefined);

/** What a tensor's schema says beyond JSON Schema; `shape` in the dimension letters of its layer. */
export interface TensorKeywords {
  readonly 'x-tensor': 'float' | 'integer' | 'mask';
  readonly 'x-shape': string;
  readonly description: string;
}

/** The schema of the nesting itself, registered once and referred to by every tensor. */
export const Tensor = {
  $id: 'Tensor',
  title: 'Tensor',
  description:
    'Nested arrays of numbers, row-major: the shape is the nesting. Not ragged, no axis empty. NaN and the infinities are strings.',
  type: 'array',
  minItems: 1,
  items: {
    anyOf: [{ type: 'number' }, { enum: ['NaN', 'Infinity', '-Infinity'] }, { $ref: 'Tensor#' }],
  },
} as const;

function wire<Element extends 'float' | 'integer' | 'mask'>(
  element: Element,
  shape: string,
  description: string,
): TUnsafe<WireTensor<Element>> {
  const keywords: TensorKeywords = { 'x-tensor': element, 'x-shape': shape, description };
  // What stands beside a bare $ref is lost on the way to the OpenAPI document.
  return Type.Unsafe<WireTensor<Element>>({ [Kind]: 'Tensor', allOf: [{ $ref: 'Tensor#' }], ...keywords });
}

/** Numbers of the request's dtype. */
export const FloatTensor = (shape: string, description: string) => wire('float', shape, description);

/** Integers from -2^31 to 2^31 - 1. */
export const IntegerTensor = (shape: string, description: string) => wire('integer', shape, description);

/** 0 and 1. */
export const MaskTensor = (shape: string, description: string) => wire('mask', shape, description);
