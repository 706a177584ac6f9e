import { Type } from '@sinclair/typebox';
import { Tensor } from './tensor.js';
import { SessionToken } from './request.js';

export const SessionParams = Type.Object({ token: SessionToken });

export const SessionQuery = Type.Object(
  {
    values: Type.Optional(
      Type.Union([Type.Literal('true'), Type.Literal('false')], { description: 'Include the values of the tensors.' }),
    ),
  },
  { additionalProperties: false },
);

export const SessionAnswer = Type.Object({
  layer: Type.String({ description: 'The layer whose backward route accepts the token.' }),
  created: Type.String({ format: 'date-time' }),
  expires: Type.String({ format: 'date-time', description: 'When it expires if it is not used before then.' }),
  bytes: Type.Integer({ description: 'Memory that it uses.' }),
  tensors: Type.Record(
    Type.String(),
    Type.Object({
      dtype: Type.String(),
      shape: Type.Array(Type.Integer({ minimum: 1 })),
      values: Type.Optional(
        Type.Unsafe<unknown>({ allOf: [{ $ref: `${Tensor.$id}#` }], description: 'Present with ?values=true.' }),
      ),
    }),
  ),
});
