/** Parts of the routes' schemas, for the OpenAPI document. */
import { Type } from '@sinclair/typebox';
import { Problem } from '../../schemas/problem.js';
import type { MediaType } from '../codec/codecs.js';
import { PROBLEM_JSON, problemKinds } from './problems.js';

/** No valid key, too many requests, overload: statuses of every route except the probes. */
const ON_EVERY_ROUTE = [401, 429, 503];

/** The responses of a route: those of success, and the problems of the given statuses. */
export function responses(success: Record<number, object>, ...problems: number[]): Record<number, object> {
  return probeResponses(success, ...new Set([...problems, ...ON_EVERY_ROUTE]));
}

/** The responses of a route that is served without a key and under any load. */
export function probeResponses(success: Record<number, object>, ...problems: number[]): Record<number, object> {
  const refused = Object.fromEntries(
    problems.map((status) => {
      const titles = Object.values(problemKinds)
        .filter((kind) => kind.status === status)
        .map(({ title }) => title);
      return [
        status,
        { description: titles.join('; '), content: { [PROBLEM_JSON]: { schema: { $ref: `${Problem.$id ?? ''}#` } } } },
      ];
    }),
  );
  return { ...success, ...refused };
}

/**
 * A request or response body with tensors, in JSON or in safetensors.
 * @param json the schema in JSON; the safetensors file has the same names and shapes
 */
export function tensorContent(json: object): object {
  const content: Record<MediaType, { schema: object }> = {
    'application/json': { schema: json },
    'application/vnd.safetensors': { schema: Safetensors },
  };
  return { description: 'JSON or safetensors, with the same names, shapes and values.', content };
}

const Safetensors = Type.String({
  format: 'binary',
  description:
    'A safetensors file. Its entries are the tensors; those of a nested object are prefixed with its name and a dot, as in forward.x. All other values are in __metadata__, as JSON text.',
});
