/** Reads tensors and options from a request's body. */
import { Kind, type TObject } from '@sinclair/typebox';
import type { Body, TensorNames } from '../codec/codec.js';
import { refuse, Refusal, type Path } from '../refusal.js';
import { isFloats, type FloatDtype, type Tensor } from '../tensor/tensor.js';

/** Prefixes the places of a refusal with `at`, the place of the request in the body. */
export function within<Result>(at: Path, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw error instanceof Refusal ? error.within(at) : error;
  }
}

/** @throws {Refusal} invalid-request if the requested dtype is not that of the tensors */
export function expectOneDtype({ dtype }: Record<string, unknown>, body: Body, at: Path): void {
  if (dtype === undefined || body.dtype === undefined || dtype === body.dtype) return;
  throw refuse(
    'invalid-request',
    [...at, 'dtype'],
    `dtype is ${dtype as string}; expected ${body.dtype}, the dtype of the tensors`,
  );
}

export function pick(schema: TObject, request: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(schema.properties)
      .filter((name) => name in request)
      .map((name) => [name, request[name]]),
  );
}

export function decodeTensors(
  schema: TObject,
  request: Record<string, unknown>,
  dtype: FloatDtype,
  body: Body,
  at: Path,
): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, { 'x-tensor': element }] of Object.entries(schema.properties))
    if (name in request)
      tensors[name] = element === 'integer' ? body.integers([...at, name]) : body.floats([...at, name], dtype);
  return tensors;
}

/** The tensors of a body, and of the objects in it. */
export function tensorNames(schema: TObject): TensorNames {
  const names: Record<string, true | TensorNames> = {};
  for (const [name, property] of Object.entries(schema.properties))
    if (property[Kind] === 'Tensor') names[name] = true;
    else if (property[Kind] === 'Object') names[name] = tensorNames(property as TObject);
  return names;
}

/** Converts float tensors to this dtype; other tensors stay as they are. */
export function ofDtype(tensors: Readonly<Record<string, Tensor>>, dtype: FloatDtype): Record<string, Tensor> {
  const Floats = dtype === 'float64' ? Float64Array : Float32Array;
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [
      name,
      { shape, data: isFloats(data) ? Floats.from(data) : data },
    ]),
  );
}
