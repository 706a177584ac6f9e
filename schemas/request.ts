import { Type, type TObject, type TProperties } from '@sinclair/typebox';

/** Precision of the arithmetic and of the answer. */
export const Dtype = Type.Union([Type.Literal('float64'), Type.Literal('float32')], {
  default: 'float64',
  description: 'Precision of the arithmetic and of the answer.',
});

const Keep = Type.Boolean({
  default: true,
  description: 'Keep what backward needs, and answer with a token for it.',
});

export const SessionToken = Type.String({
  maxLength: 128,
  description: 'The token that forward answered with.',
});

/** Options with a default may be left out of a request; inside, they are always there. */
function optionalInRequest(properties: TProperties): TProperties {
  return Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, 'default' in schema ? Type.Optional(schema) : schema]),
  );
}

const strict = { additionalProperties: false } as const;

export function ForwardRequest(inputs: TObject, options: TObject): TObject {
  return Type.Object(
    optionalInRequest({ ...inputs.properties, ...options.properties, dtype: Dtype, session: Keep }),
    strict,
  );
}

export function ForwardAnswer(outputs: TObject): TObject {
  return Type.Object({ ...outputs.properties, session: Type.Optional(SessionToken) }, strict);
}

/** Either `session` or `forward`, and the upstream gradients. */
export function BackwardRequest(upstream: TObject, inputs: TObject, options: TObject): TObject {
  const { session: _, ...forward } = ForwardRequest(inputs, options).properties;
  const stateless = Type.Object(
    { ...forward, session: Type.Optional(Type.Literal(false)) },
    { ...strict, description: 'A forward request to compute first, in the place of a session. Nothing is kept.' },
  );
  const release = Type.Boolean({ default: false, description: 'Forget the session once this call has succeeded.' });
  return Type.Object(
    {
      session: Type.Optional(SessionToken),
      forward: Type.Optional(stateless),
      release: Type.Optional(release),
      ...upstream.properties,
    },
    strict,
  );
}

export function BackwardAnswer(gradients: TObject): TObject {
  return Type.Object(gradients.properties, strict);
}
