/** From the parts of a request's body to tensors and options. */
import type { TObject } from '@sinclair/typebox';
import type { Body } from '../codec/codec.js';
import { refuse, Refusal, type Path } from '../refusal.js';
import type { FloatDtype, Tensor } from '../tensor/tensor.js';

/** What is refused in a request that stands at `at` of the body is refused there. */
export function within<Result>(at: Path, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw error instanceof Refusal ? error.within(at) : error;
  }
}

/** @throws {Refusal} invalid-request where the dtype that is asked for is not that of the tensors */
export function expectOneDtype({ dtype }: Record<string, unknown>, body: Body, at: Path): void {
  if (dtype === undefined || body.dtype === undefined || dtype === body.dtype) return;
  throw refuse(
    'invalid-request',
    [...at, 'dtype'],
    `dtype is ${dtype as string}; expected ${body.dtype}, which the tensors are`,
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
