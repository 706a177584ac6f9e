/** Validates plain values against a schema, with refusals that a person can act on. Nothing is coerced or dropped. */
import { Kind, OptionalKind, type TObject, type TSchema } from '@sinclair/typebox';
import { TypeCompiler, ValueErrorType, type TypeCheck, type ValueError } from '@sinclair/typebox/compiler';
import { Refusal, type Path, type Place } from '../refusal.js';
import { describe } from './describe.js';
import { isNearInteger, nearestOf } from './near-integer.js';
import { preview } from './preview.js';
import { jsonWords, type Words } from './words.js';

/** Maximum number of places in a refusal: a body can be wrong in a million places, but people read only a few. */
const MOST_PLACES = 10;

/**
 * @returns a function that returns a valid value as it is, and throws a {@link Refusal} (invalid-request) with the
 * places of the errors for any other value
 */
export function compileValidation(schema: TObject): (value: unknown, words?: Words) => Record<string, unknown> {
  // Compiled on the first call: compiling all schemas at the start would make it a tenth slower.
  let compiled: TypeCheck<TObject> | undefined;
  return (body, words = jsonWords) => {
    const value = settled(schema, body);
    compiled ??= TypeCompiler.Compile(schema);
    if (compiled.Check(value)) return value;
    const places = new Map<string, Place>();
    for (const outer of compiled.Errors(value)) {
      const error = innermost(outer);
      // The first error of a place is the most specific: "missing" comes before "not a string".
      if (!places.has(error.path)) places.set(error.path, placeOf(error, schema, words));
      if (places.size === MOST_PLACES) break;
    }
    const all = [...places.values()];
    throw new Refusal('invalid-request', all.map(({ detail }) => detail).join('; '), all);
  };
}

/**
 * The same value, with its numbers as the schema wants them. Where it wants any number, one that rounds to an integer is
 * that integer; where it wants an integer, negative zero is 0. Objects are changed in place.
 */
function settled(schema: TSchema, value: unknown): unknown {
  switch (schema[Kind]) {
    case 'Tensor':
      return value;
    case 'Number':
      return isNearInteger(value) ? nearestOf(value) : value;
    case 'Object':
      if (typeof value === 'object' && value !== null)
        for (const [name, property] of Object.entries((schema as TObject).properties))
          if (Object.hasOwn(value, name)) {
            const fields = value as Record<string, unknown>;
            fields[name] = settled(property, fields[name]);
          }
      return value;
    default:
      if (Array.isArray(value)) return value.map((entry) => settled(schema, entry));
      return Object.is(value, -0) ? 0 : value;
  }
}

/** Where an array may come instead of a single value: the error of the first wrong entry instead of the array's. */
function innermost(error: ValueError): ValueError {
  if (!Array.isArray(error.value)) return error;
  const inEntry = error.errors.map((variant) => variant.First()).find((first) => first && first.path !== error.path);
  return inEntry ? innermost(inEntry) : error;
}

function placeOf(error: ValueError, root: TObject, words: Words): Place {
  const path = error.path
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  return { path, detail: detailOf(error, path, root, words) };
}

function detailOf({ type, schema, value }: ValueError, path: Path, root: TObject, words: Words): string {
  switch (type) {
    case ValueErrorType.ObjectRequiredProperty:
      return words.missing(path, describe(schema));
    case ValueErrorType.ObjectAdditionalProperties: {
      const known = Object.keys(objectAt(root, path.slice(0, -1)).properties);
      return `${words.place(path)} is unknown; expected ${list(words.alternatives(path, known))}`;
    }
    default:
      return `${words.place(path)} is ${preview(value)}; expected ${describe(schema)}`;
  }
}

/** The schema of the object at `path`. */
function objectAt(root: TObject, path: Path): TObject {
  return path.reduce<TObject>((schema, token) => schema.properties[token] as TObject, root);
}

function list(names: readonly string[]): string {
  return names.length === 1 ? names[0] : `one of ${names.join(', ')}`;
}

/** Fills in the defaults of absent properties, in place. */
export function applyDefaults(schema: TObject, value: Record<string, unknown>): void {
  for (const [name, property] of Object.entries(schema.properties))
    if (!(name in value) && 'default' in property) value[name] = property.default;
}

export function isOptional(schema: TSchema): boolean {
  return schema[OptionalKind] === 'Optional';
}
