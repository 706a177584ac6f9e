import { Type, type TObject, type TProperties } from '@sinclair/typebox';

export const Dtype = Type.Union([Type.Literal('float64'), Type.Literal('float32')], {
  default: 'float64',
  description: 'Precision of the arithmetic and of the answer.',
});

/** Options of the forward request itself, for every layer. */
export const ForwardFields = Type.Object({
  dtype: Dtype,
  session: Type.Boolean({ default: true, description: 'Keep what backward needs in a session, and return its token.' }),
});

/** Options of the backward request itself. */
export const BackwardFields = Type.Object({
  release: Type.Boolean({ default: false, description: 'Delete the session once this call has succeeded.' }),
});

export const SessionToken = Type.String({
  maxLength: 128,
  description: 'The token that forward returned.',
});

/** Options with a default are optional in a request; defaults are filled in before a layer sees them. */
function optionalInRequest(properties: TProperties): TProperties {
  return Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, 'default' in schema ? Type.Optional(schema) : schema]),
  );
}

const strict = { additionalProperties: false } as const;

export function ForwardRequest(inputs: TObject, options: TObject): TObject {
  return Type.Object(
    optionalInRequest({ ...inputs.properties, ...options.properties, ...ForwardFields.properties }),
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
    { ...strict, description: 'A forward request, instead of a session. It is computed first, and nothing is kept.' },
  );
  return Type.Object(
    {
      session: Type.Optional(SessionToken),
      forward: Type.Optional(stateless),
      ...optionalInRequest(BackwardFields.properties),
      ...upstream.properties,
    },
    strict,
  );
}

export function BackwardAnswer(gradients: TObject): TObject {
  return Type.Object(gradients.properties, strict);
}
