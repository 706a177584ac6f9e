import { Type } from '@sinclair/typebox';

export const Problem = Type.Object(
  {
    type: Type.String({ format: 'uri-reference', description: 'Stable identifier of the problem type.' }),
    title: Type.String({ description: 'Short summary of the problem type.' }),
    status: Type.Integer({ description: 'The HTTP status.' }),
    detail: Type.String({ description: 'What was wrong, what was expected and what was received.' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.String({ description: 'JSON Pointer (RFC 6901) to the place in the body.' }),
          detail: Type.String(),
        }),
      ),
    ),
  },
  { $id: 'Problem', description: 'Problem details (RFC 9457).' },
);
