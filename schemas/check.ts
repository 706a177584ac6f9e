import { Type, type TObject, type TProperties, type TSchema } from '@sinclair/typebox';
import { ForwardRequest } from './request.js';

const strict = { additionalProperties: false } as const;

function optional(properties: TProperties): TProperties {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, Type.Optional(schema)]));
}

function tensorsOf(schema: TObject, element?: string): TProperties {
  return Object.fromEntries(
    Object.entries(schema.properties).filter(
      ([, property]) => 'x-tensor' in property && (element === undefined || property['x-tensor'] === element),
    ),
  );
}

/** What an implementation was given: a forward request, and the mask that it drew, where the layer draws one. */
export function CheckedForward(inputs: TObject, options: TObject, outputs: TObject): TObject {
  const { session: _, ...properties } = ForwardRequest(inputs, options).properties;
  return Type.Object(
    { ...properties, ...optional(tensorsOf(outputs, 'mask')) },
    { ...strict, description: 'What your implementation was given, as in a forward request.' },
  );
}

interface LayerSchemas {
  readonly inputs: TObject;
  readonly options: TObject;
  readonly outputs: TObject;
  readonly upstream: TObject;
  readonly gradients: TObject;
}

export function CheckRequest({ inputs, options, outputs, upstream, gradients }: LayerSchemas): TObject {
  return Type.Object(
    {
      forward: CheckedForward(inputs, options, outputs),
      backward: Type.Optional(
        Type.Object(upstream.properties, {
          ...strict,
          description: 'The upstream gradients that your implementation was given; where a gradient is claimed.',
        }),
      ),
      claims: Type.Object(optional({ ...tensorsOf(outputs), ...gradients.properties }), {
        ...strict,
        description: 'What your implementation computed, by the names of the answers; one tensor at least.',
      }),
      rtol: Type.Optional(
        Type.Number({
          minimum: 0,
          description: 'Tolerance relative to the right value; 1e-6 for float64 and 1e-4 for float32 if absent.',
        }),
      ),
      atol: Type.Optional(
        Type.Number({
          minimum: 0,
          description:
            'Absolute tolerance, added to the relative one; 1e-9 for float64 and 1e-6 for float32 if absent.',
        }),
      ),
    },
    strict,
  );
}

const Diagnosis = Type.Object({
  id: Type.String({ description: 'Stable name of the mistake.' }),
  explanation: Type.String({ description: 'What was probably written.' }),
  fix: Type.String({ description: 'What to write.' }),
});

const Note = Type.Object({ id: Type.String(), explanation: Type.String() });

/** A number that may be infinite, or none at all. */
const Figure = Type.Union([Type.Number(), Type.String({ enum: ['NaN', 'Infinity', '-Infinity'] })]);
const FigureOrNull = Type.Union([Figure, Type.Null()]);

const Statistics = Type.Object(
  {
    wrong: Type.Integer({ description: 'Elements beyond the tolerance.' }),
    of: Type.Integer({ description: 'All elements.' }),
    ratio: Type.Union([Figure, Type.Null()], {
      description: 'What every right value was multiplied by, if it is one.',
    }),
    offset: Type.Union([Figure, Type.Null()], { description: 'What was added to every right value, if it is one.' }),
    correlation: Type.Union([Figure, Type.Null()], { description: 'Of right and claimed values, from -1 to 1.' }),
    axes: Type.Array(
      Type.Object({
        axis: Type.Integer(),
        name: Type.String(),
        size: Type.Integer(),
        wrong: Type.Array(Type.Integer(), { description: 'Indices along the axis at which something is wrong.' }),
      }),
    ),
    findings: Type.Array(Type.String(), { description: 'The same in sentences.' }),
  },
  { description: 'How the values are wrong, and where.' },
);

const TensorVerdict = Type.Object({
  pass: Type.Boolean(),
  max_absolute_error: FigureOrNull,
  max_relative_error: FigureOrNull,
  worst: Type.Union([
    Type.Object({ index: Type.Array(Type.Integer()), expected: Figure, claimed: Figure }),
    Type.Null(),
  ]),
  detail: Type.Optional(Type.String({ description: 'Both shapes, where they differ.' })),
  diagnosis: Type.Array(Diagnosis, {
    description: 'Mistakes whose result the claim equals while the right answer differs from it; best first.',
  }),
  notes: Type.Array(Note),
  statistics: Type.Optional(Statistics),
});

export const CheckAnswer = Type.Object({
  pass: Type.Boolean({ description: 'Whether all claims are right.' }),
  rtol: Type.Number(),
  atol: Type.Number(),
  tensors: Type.Record(Type.String(), TensorVerdict),
  indistinguishable: Type.Array(
    Type.Object({
      id: Type.String(),
      tensors: Type.Array(Type.String()),
      hidden: Type.String({ description: 'When the mistake gives the right answer.' }),
      try: Type.Object(
        {
          route: Type.String(),
          body: Type.Object({
            mistake: Type.String(),
            options: Type.Optional(Type.Object({}, { description: 'Of the call that was checked.' })),
            axes: Type.Optional(Type.Integer()),
          }),
        },
        { description: 'A request that answers with an input on which it does not.' },
      ),
    }),
    { description: 'Mistakes that give the right answer on this input, so that nothing is known of them.' },
  ),
  notes: Type.Array(Note),
});

export const MistakesAnswer = Type.Object({
  layer: Type.String(),
  mistakes: Type.Array(
    Type.Object({
      id: Type.String(),
      tensors: Type.Array(Type.String(), { description: 'Where it shows.' }),
      explanation: Type.String(),
      fix: Type.String(),
      hidden: Type.Optional(Type.String({ description: 'When it gives the right answer.' })),
      needs: Type.Optional(Type.Object({}, { description: 'Options without which it cannot be made.' })),
      axes: Type.Optional(Type.Integer({ description: 'Spatial axes that x must have at least for it to be made.' })),
    }),
  ),
});

const caseProperties = {
  seed: Type.Integer({ minimum: 0, maximum: 2 ** 53 - 1, default: 0, description: 'One seed, one case.' }),
  dtype: Type.Union([Type.Literal('float64'), Type.Literal('float32')], { default: 'float64' }),
  answers: Type.Boolean({ default: false, description: 'Give the right answers too.' }),
  mistake: Type.String({ description: 'A known mistake that the case must show.' }),
};

/** @param spatial whether the layer has spatial axes */
export function CaseRequest(options: TObject, spatial: boolean): TObject {
  return Type.Object(
    optional({
      ...caseProperties,
      ...(Object.keys(options.properties).length > 0
        ? {
            options: Type.Object(withoutDefaults(optional(options.properties)), {
              ...strict,
              description: 'Options that the case must have; those that are absent are chosen so that mistakes show.',
            }),
          }
        : {}),
      ...(spatial
        ? { axes: Type.Integer({ minimum: 1, maximum: 3, description: 'How many spatial axes x has; 2 if absent.' }) }
        : {}),
    }),
    strict,
  );
}

/** What is not asked for is chosen, and not filled in. */
function withoutDefaults(properties: TProperties): TProperties {
  return Object.fromEntries(
    Object.entries(properties).map(([name, { default: _, ...schema }]) => [name, schema as TSchema]),
  );
}

/** The same, as a query. */
export const CaseQuery = (spatial: boolean): TObject =>
  Type.Object(
    {
      seed: Type.Optional(
        Type.String({
          pattern: '^[0-9]{1,16}$',
          'x-expects': 'an integer',
          description: 'One seed, one case; 0 if absent.',
        }),
      ),
      dtype: Type.Optional(Type.Union([Type.Literal('float64'), Type.Literal('float32')])),
      answers: Type.Optional(
        Type.Union([Type.Literal('true'), Type.Literal('false')], { description: 'Give the right answers too.' }),
      ),
      mistake: Type.Optional(Type.String({ description: 'A known mistake that the case must show.' })),
      options: Type.Optional(
        Type.String({ description: 'Options that the case must have, as JSON: {"name": value}.' }),
      ),
      ...(spatial
        ? {
            axes: Type.Optional(
              Type.String({
                pattern: '^[1-3]$',
                'x-expects': 'an integer from 1 to 3',
                description: 'How many spatial axes x has; 2 if absent.',
              }),
            ),
          }
        : {}),
    },
    strict,
  );

export function CaseAnswer({ inputs, options, outputs, upstream, gradients }: LayerSchemas): TObject {
  return Type.Object(
    {
      forward: CheckedForward(inputs, options, outputs),
      backward: Type.Object(upstream.properties, strict),
      answers: Type.Optional(
        Type.Object(optional({ ...tensorsOf(outputs), ...gradients.properties }), {
          description: 'The right answers, where they were asked for.',
        }),
      ),
    },
    strict,
  );
}
