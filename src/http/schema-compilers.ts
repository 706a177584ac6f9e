/** Validates by the routes' schemas without Ajv, and serializes without fast-json-stringify. */
import type { TObject } from '@sinclair/typebox';
import { compileValidation } from '../validation/validate.js';

function compileValidator({ schema }: { schema: TObject }) {
  const check = compileValidation(schema);
  return (value: unknown) => {
    try {
      return { value: check(value) };
    } catch (error) {
      return { error };
    }
  };
}

export const compilersFactory = {
  // Fastify types this factory as Ajv's, but needs no more than this.
  buildValidator: (() => compileValidator) as never,
  // fast-json-stringify would drop or round values that the schemas do not describe.
  buildSerializer: () => () => JSON.stringify,
};
