/** Schemas in words. */
import { Kind, type TSchema } from '@sinclair/typebox';

/** What a schema expects, in words. A schema with a pattern has examples that describe it. */
export function describe(schema: TSchema): string {
  if (typeof schema['x-expects'] === 'string') return schema['x-expects'];
  switch (schema[Kind]) {
    case 'Boolean':
      return 'true or false';
    case 'String':
      return schema.pattern === undefined ? `a string${lengths(schema)}` : (schema.examples as string[]).join(' or ');
    case 'Integer':
      return `an integer${range(schema)}`;
    case 'Number':
      return `a number${range(schema)}`;
    case 'Tensor':
      return 'a tensor, nested arrays of numbers';
    case 'Literal':
      return JSON.stringify(schema.const);
    case 'Union':
      return (schema.anyOf as TSchema[]).map(describe).join(' or ');
    default:
      return 'an object';
  }
}

function lengths({ minLength, maxLength }: TSchema): string {
  if (maxLength !== undefined) return ` of at most ${maxLength as number} characters`;
  return minLength === undefined ? '' : ` of at least ${minLength as number} characters`;
}

function range({ minimum, maximum }: TSchema): string {
  if (minimum === undefined) return '';
  return maximum === undefined
    ? `, at least ${minimum as number}`
    : ` from ${minimum as number} to ${maximum as number}`;
}
