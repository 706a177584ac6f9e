import { Kind, Type, TypeRegistry, type TUnsafe } from '@sinclair/typebox';

/**
 * Static type of a tensor in a body. On the wire, a tensor is a nested array or an entry of a safetensors file; the
 * codecs turn it into a typed array before other code sees it, so no value of this type exists.
 */
export interface WireTensor<Element extends 'float' | 'integer' | 'mask'> {
  readonly element: Element;
}

// The codec that reads a tensor checks it; the compiled check of a body only requires it to be present.
TypeRegistry.Set('Tensor', (_schema, value) => value !== undefined);

/** Extension keywords of a tensor's schema; `x-shape` uses the dimension letters of its layer. */
export interface TensorKeywords {
  readonly 'x-tensor': 'float' | 'integer' | 'mask';
  readonly 'x-shape': string;
  readonly description: string;
}

/** Ranks that the document describes: client generators and strict validators reject or ignore a recursive schema. */
const RANKS = [1, 2, 3, 4, 5, 6] as const;

const reference = (name: string) => ({ $ref: `${name}#` });

const TensorNumber = {
  $id: 'TensorNumber',
  description: 'A number. NaN and infinities are strings.',
  anyOf: [{ type: 'number' }, { type: 'string', enum: ['NaN', 'Infinity', '-Infinity'] }],
} as const;

const ranked = RANKS.map((rank) => ({
  $id: `Tensor${rank}`,
  description: `A tensor of rank ${rank}.`,
  type: 'array',
  minItems: 1,
  items: reference(rank === 1 ? TensorNumber.$id : `Tensor${rank - 1}`),
}));

/** The schema of nested arrays, registered once and referenced by every tensor. */
export const Tensor = {
  $id: 'Tensor',
  title: 'Tensor',
  description: `Nested arrays of numbers in row-major order; the nesting is the shape. Arrays must not be ragged or empty. NaN and infinities are strings. Where a shape allows any number of axes, ranks above ${RANKS.length} are also accepted, although this document does not describe them.`,
  anyOf: ranked.map(({ $id }) => reference($id)),
} as const;

/** The schemas of numbers, of nested arrays of each rank, and of tensors. */
export const tensorSchemas = [TensorNumber, ...ranked, Tensor];

function wire<Element extends 'float' | 'integer' | 'mask'>(
  element: Element,
  shape: string,
  description: string,
): TUnsafe<WireTensor<Element>> {
  const keywords: TensorKeywords = { 'x-tensor': element, 'x-shape': shape, description };
  // Keywords next to a bare $ref are lost in the OpenAPI document.
  return Type.Unsafe<WireTensor<Element>>({ [Kind]: 'Tensor', allOf: [{ $ref: 'Tensor#' }], ...keywords });
}

/** Elements are numbers of the request's dtype. */
export const FloatTensor = (shape: string, description: string) => wire('float', shape, description);

/** Elements are integers from -2^31 to 2^31 - 1. */
export const IntegerTensor = (shape: string, description: string) => wire('integer', shape, description);

/** Elements are 0 or 1. */
export const MaskTensor = (shape: string, description: string) => wire('mask', shape, description);
