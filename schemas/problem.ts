import { Type } from '@sinclair/typebox';

export const Problem = Type.Object(
  {
    type: Type.String({ format: 'uri-reference', description: 'Stable name of the kind of problem.' }),
    title: Type.String({ description: 'The kind of problem, in words.' }),
    status: Type.Integer({ description: 'The HTTP status.' }),
    detail: Type.String({ description: 'What was wrong, what was expected and what came.' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.String({ description: 'Where in the body: a JSON Pointer (RFC 6901).' }),
          detail: Type.String(),
        }),
      ),
    ),
    error: Type.Optional(
      Type.String({ description: 'Under /v2: the detail once more, where clients of that protocol look for it.' }),
    ),
  },
  { $id: 'Problem', description: 'Problem details (RFC 9457).' },
);
