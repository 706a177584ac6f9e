/** Plain values against a body's schema, with refusals that a person can act on. Nothing is coerced or dropped. */
import { Kind, OptionalKind, type TObject, type TSchema } from '@sinclair/typebox';
import { TypeCompiler, ValueErrorType, type ValueError } from '@sinclair/typebox/compiler';
import type { TensorNames } from '../codec/codec.js';
import { preview } from '../codec/json/read.js';
import { jsonPointer, Refusal, type Path, type Place } from '../refusal.js';

/** A body can be wrong in a million places; the first few are what a person reads. */
const MOST_PLACES = 10;

/** Characters of a pointer that a sentence repeats: an unknown key can be as long as the body. */
const LONGEST_PLACE = 200;

/**
 * A check that gives back a value that keeps to the schema.
 * @throws {Refusal} invalid-request with the places, when the check is called with a value that does not
 */
export function compileValidation(schema: TObject): (value: unknown) => Record<string, unknown> {
  const compiled = TypeCompiler.Compile(schema);
  return (value) => {
    if (compiled.Check(value)) return value;
    const places = new Map<string, Place>();
    for (const error of compiled.Errors(value)) {
      // The first error of a place is the one that says most: "missing" comes before "not a string".
      if (!places.has(error.path)) places.set(error.path, placeOf(error, schema));
      if (places.size === MOST_PLACES) break;
    }
    const all = [...places.values()];
    throw new Refusal('invalid-request', all.map(({ detail }) => detail).join('; '), all);
  };
}

function placeOf(error: ValueError, root: TObject): Place {
  const path = error.path
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  return { path, detail: detailOf(error, path, root) };
}

function detailOf({ type, schema, value }: ValueError, path: Path, root: TObject): string {
  const pointer = jsonPointer(path) || 'the body';
  const place = pointer.length > LONGEST_PLACE ? `${pointer.slice(0, LONGEST_PLACE)}…` : pointer;
  switch (type) {
    case ValueErrorType.ObjectRequiredProperty:
      return `${place} is missing; expected ${describe(schema)}`;
    case ValueErrorType.ObjectAdditionalProperties:
      return `${place} is unknown; expected ${list(Object.keys(objectAt(root, path.slice(0, -1)).properties))}`;
    default:
      return `${place} is ${preview(value)}; expected ${describe(schema)}`;
  }
}

/** The schema of the object that stands at `path`; nested only where a body holds another one. */
function objectAt(root: TObject, path: Path): TObject {
  return path.reduce<TObject>((schema, token) => schema.properties[token] as TObject, root);
}

function list(names: readonly string[]): string {
  return names.length === 1 ? names[0] : `one of ${names.join(', ')}`;
}

/** What a schema wants, in words. One with a pattern has examples that say it. */
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

/** Fills in the defaults of absent properties, in place. */
export function applyDefaults(schema: TObject, value: Record<string, unknown>): void {
  for (const [name, property] of Object.entries(schema.properties))
    if (!(name in value) && 'default' in property) value[name] = property.default;
}

export function isOptional(schema: TSchema): boolean {
  return schema[OptionalKind] === 'Optional';
}

/** The tensors of a body, and of the objects in it. */
export function tensorNames(schema: TObject): TensorNames {
  const names: Record<string, true | TensorNames> = {};
  for (const [name, property] of Object.entries(schema.properties))
    if (property[Kind] === 'Tensor') names[name] = true;
    else if (property[Kind] === 'Object') names[name] = tensorNames(property as TObject);
  return names;
}
