import { Type, type Static, type TObject, type TProperties, type TSchema } from '@sinclair/typebox';
import { Dtype, ForwardRequest } from './request.js';

/** The type, read-only at every depth. */
type Frozen<Value> = Value extends readonly (infer Element)[]
  ? readonly Frozen<Element>[]
  : Value extends object
    ? { readonly [Name in keyof Value]: Frozen<Value[Name]> }
    : Value;

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

/** What an implementation was given: a forward request and, if the layer draws a mask, the mask that it drew. */
function CheckedForward(inputs: TObject, options: TObject, outputs: TObject): TObject {
  const { session: _, ...properties } = ForwardRequest(inputs, options).properties;
  return Type.Object(
    { ...properties, ...optional(tensorsOf(outputs, 'mask')) },
    { ...strict, description: 'The inputs and options that your implementation was given, as in a forward request.' },
  );
}

/** Tolerances of a request that does not set any. */
export const TOLERANCES: Readonly<Record<Static<typeof Dtype>, { readonly rtol: number; readonly atol: number }>> = {
  float64: { rtol: 1e-6, atol: 1e-9 },
  float32: { rtol: 1e-4, atol: 1e-6 },
};

function Tolerance(name: 'rtol' | 'atol', description: string) {
  const defaults = Object.entries(TOLERANCES).map(([dtype, { [name]: value }]) => [dtype, value] as const);
  const words = defaults.map(([dtype, value]) => `${value.toExponential()} for ${dtype}`).join(' and ');
  return Type.Optional(
    Type.Number({
      minimum: 0,
      description: `${description} Default: ${words}.`,
      'x-defaults': Object.fromEntries(defaults),
    }),
  );
}

/** Fields of every check request, whatever its layer. */
export const CheckFields = Type.Object({
  rtol: Tolerance(
    'rtol',
    'Tolerance relative to the correct value. If rtol or atol is given, only these tolerances decide: no allowance is made for rounding or for printed digits.',
  ),
  atol: Tolerance('atol', 'Absolute tolerance, added to the relative one.'),
});

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
          description: 'The upstream gradients that your implementation was given. Required if a gradient is claimed.',
        }),
      ),
      claims: Type.Object(optional({ ...tensorsOf(outputs), ...gradients.properties }), {
        ...strict,
        description: 'The outputs and gradients that your implementation computed, by name; at least one tensor.',
      }),
      ...CheckFields.properties,
    },
    strict,
  );
}

const Diagnosis = Type.Object({
  id: Type.String({ description: 'Stable identifier of the mistake.' }),
  explanation: Type.String({ description: 'What your implementation probably does.' }),
  fix: Type.String({ description: 'What it should do.' }),
  formula: Type.Optional(
    Type.String({
      description:
        'The correct formula in TeX, with the part that is probably wrong in a \\boxed{}; absent if the mistake is not in one formula.',
    }),
  ),
});
export type Diagnosis = Frozen<Static<typeof Diagnosis>>;

const Note = Type.Object({ id: Type.String(), explanation: Type.String() });
export type Note = Frozen<Static<typeof Note>>;

/** A number; NaN and infinities are strings. */
const Figure = Type.Union([Type.Number(), Type.String({ enum: ['NaN', 'Infinity', '-Infinity'] })]);
const FigureOrNull = Type.Union([Figure, Type.Null()]);

const Statistics = Type.Object(
  {
    wrong: Type.Integer({ description: 'Number of elements outside the tolerance.' }),
    of: Type.Integer({ description: 'Number of elements in total.' }),
    ratio: Type.Union([Figure, Type.Null()], {
      description: 'The factor by which every correct value was multiplied, if there is one.',
    }),
    offset: Type.Union([Figure, Type.Null()], {
      description: 'The constant added to every correct value, if there is one.',
    }),
    correlation: Type.Union([Figure, Type.Null()], {
      description: 'Correlation of the correct and the claimed values, from -1 to 1.',
    }),
    axes: Type.Array(
      Type.Object({
        axis: Type.Integer(),
        name: Type.String(),
        size: Type.Integer(),
        wrong: Type.Array(Type.Integer(), { description: 'Indices along the axis at which an element is wrong.' }),
      }),
    ),
    findings: Type.Array(Type.String(), { description: 'The same, in sentences.' }),
  },
  { description: 'How and where the values are wrong.' },
);
export type Statistics = Frozen<Static<typeof Statistics>>;

const TensorVerdict = Type.Object({
  pass: Type.Boolean({
    description:
      'Whether every element is within the tolerance, or its error is explained by rounding or by the number of digits printed. A note says which.',
  }),
  max_absolute_error: FigureOrNull,
  max_relative_error: FigureOrNull,
  worst: Type.Union([
    Type.Object({ index: Type.Array(Type.Integer()), expected: Figure, claimed: Figure }),
    Type.Null(),
  ]),
  detail: Type.Optional(Type.String({ description: 'Both shapes, if they differ.' })),
  diagnosis: Type.Array(Diagnosis, {
    description:
      'Mistakes that produce the claimed values and not the correct ones: at most three, best match first. A note says how many others match.',
  }),
  notes: Type.Array(Note),
  statistics: Type.Optional(Statistics),
});
export type TensorVerdict = Frozen<Static<typeof TensorVerdict>>;

const HiddenMistake = Type.Object({
  id: Type.String(),
  tensors: Type.Array(Type.String()),
  hidden: Type.String({ description: 'When the mistake has no effect.' }),
  try: Type.Object(
    {
      route: Type.String(),
      body: Type.Object({
        mistake: Type.String(),
        options: Type.Optional(Type.Object({}, { description: 'The options of the checked request.' })),
        axes: Type.Optional(Type.Integer()),
      }),
    },
    { description: 'A request that returns an input that exposes the mistake.' },
  ),
});
export type HiddenMistake = Frozen<Static<typeof HiddenMistake>>;

export const CheckAnswer = Type.Object({
  pass: Type.Boolean({ description: 'Whether every claim is correct.' }),
  rtol: Type.Number(),
  atol: Type.Number(),
  tensors: Type.Record(Type.String(), TensorVerdict),
  indistinguishable: Type.Array(HiddenMistake, {
    description: 'Mistakes that have no effect on this input, so the check cannot tell whether you made them.',
  }),
  notes: Type.Array(Note),
});
export type CheckAnswer = Frozen<Static<typeof CheckAnswer>>;

const KnownMistake = Type.Object({
  id: Type.String(),
  tensors: Type.Array(Type.String(), { description: 'The tensors that it affects.' }),
  explanation: Type.String({ description: 'What your implementation probably does.' }),
  fix: Type.String({ description: 'What it should do.' }),
  hidden: Type.Optional(Type.String({ description: 'When it has no effect.' })),
  needs: Type.Optional(Type.Object({}, { description: 'Options that the mistake requires.' })),
  axes: Type.Optional(
    Type.Integer({
      description: 'Axes that x must have besides batch and channels or features.',
    }),
  ),
});
export type KnownMistake = Frozen<Static<typeof KnownMistake>>;

export const MistakesAnswer = Type.Object({ layer: Type.String(), mistakes: Type.Array(KnownMistake) });

const caseProperties = {
  seed: Type.Integer({
    minimum: 0,
    maximum: 2 ** 53 - 1,
    default: 0,
    description: 'The same seed always returns the same case.',
  }),
  dtype: Dtype,
  answers: Type.Boolean({ default: false, description: 'Include the correct outputs and gradients.' }),
  mistake: Type.String({ description: 'Identifier of a mistake that the case must expose.' }),
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
              description: 'Options of the case. The others are chosen so that mistakes are exposed.',
            }),
          }
        : {}),
      ...(spatial
        ? { axes: Type.Integer({ minimum: 1, maximum: 3, description: 'Number of spatial axes of x; 2 if absent.' }) }
        : {}),
    }),
    strict,
  );
}

/** Options that are not given are chosen, so defaults must not be filled in. */
function withoutDefaults(properties: TProperties): TProperties {
  return Object.fromEntries(
    Object.entries(properties).map(([name, { default: _, ...schema }]) => [name, schema as TSchema]),
  );
}

/** {@link CaseRequest} as a query string. */
export const CaseQuery = (spatial: boolean): TObject =>
  Type.Object(
    {
      seed: Type.Optional(
        Type.String({
          pattern: '^[0-9]{1,16}$',
          'x-expects': 'an integer',
          description: 'The same seed always returns the same case; 0 if absent.',
        }),
      ),
      dtype: Type.Optional(Type.Union(Dtype.anyOf)),
      answers: Type.Optional(
        Type.Union([Type.Literal('true'), Type.Literal('false')], {
          description: 'Include the correct outputs and gradients.',
        }),
      ),
      mistake: Type.Optional(Type.String({ description: 'Identifier of a mistake that the case must expose.' })),
      options: Type.Optional(Type.String({ description: 'Options of the case, as a JSON object: {"name": value}.' })),
      ...(spatial
        ? {
            axes: Type.Optional(
              Type.String({
                pattern: '^[1-3]$',
                'x-expects': 'an integer from 1 to 3',
                description: 'Number of spatial axes of x; 2 if absent.',
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
          description: 'The correct outputs and gradients, if requested.',
        }),
      ),
    },
    strict,
  );
}
