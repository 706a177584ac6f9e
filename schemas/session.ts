import { Type } from '@sinclair/typebox';
import { Tensor } from './tensor.js';
import { SessionToken } from './request.js';

export const SessionParams = Type.Object({ token: SessionToken });

export const SessionQuery = Type.Object(
  {
    values: Type.Optional(
      Type.Union([Type.Literal('true'), Type.Literal('false')], { description: "Show the tensors' values too." }),
    ),
  },
  { additionalProperties: false },
);

export const SessionAnswer = Type.Object({
  layer: Type.String({ description: 'The layer whose backward takes the token.' }),
  created: Type.String({ format: 'date-time' }),
  expires: Type.String({ format: 'date-time', description: 'Unless it is used before.' }),
  bytes: Type.Integer({ description: 'Memory that it takes.' }),
  tensors: Type.Record(
    Type.String(),
    Type.Object({
      dtype: Type.String(),
      shape: Type.Array(Type.Integer({ minimum: 1 })),
      values: Type.Optional(Type.Unsafe<unknown>({ $ref: `${Tensor.$id}#`, description: 'With ?values=true.' })),
    }),
  ),
});
