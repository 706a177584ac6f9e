import { Type } from '@sinclair/typebox';

/** Bodies of the Open Inference Protocol. The codec reads and checks them itself. */
const Name = Type.String({ minLength: 1 });
const Datatype = Type.Union([Type.Literal('FP64'), Type.Literal('FP32'), Type.Literal('INT64')], {
  description: 'Floats are all FP64 or all FP32, which is the precision of the arithmetic. Integers are INT64.',
});
const Shape = Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1 });
const Data = Type.Array(Type.Unknown(), {
  description:
    'Numbers, nested as the shape or in one flat array, row-major. NaN and the infinities are strings, as in Tensor.',
});
const BinarySize = Type.Integer({
  minimum: 0,
  description:
    'In the place of data: how many bytes of the tensor follow the JSON part; little-endian, packed, in order.',
});
const Parameters = Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]));
const strict = { additionalProperties: false } as const;

export const ServerMetadata = Type.Object({
  name: Type.String(),
  version: Type.String(),
  extensions: Type.Array(Type.String()),
});

const TensorMetadata = Type.Object({
  name: Type.String(),
  datatype: Type.String({ description: 'FP32 in the place of FP64 is taken, too.' }),
  shape: Type.Array(Type.Integer(), {
    description: '-1 for any size. Where a layer takes tensors of several ranks, this is the lowest.',
  }),
});

export const ModelMetadata = Type.Object({
  name: Type.String(),
  versions: Type.Array(Type.String()),
  platform: Type.String(),
  inputs: Type.Array(TensorMetadata, { description: 'Those that may be left out, too: GET /layers tells which.' }),
  outputs: Type.Array(TensorMetadata),
});

export const ServerLive = Type.Object({ live: Type.Boolean() });
export const ServerReady = Type.Object({ ready: Type.Boolean() });
export const ModelReady = Type.Object({ name: Type.String(), ready: Type.Boolean() });

export const InferenceRequest = Type.Object(
  {
    id: Type.Optional(Type.String({ description: 'Comes back in the answer.' })),
    model_name: Type.Optional(Type.String({ description: 'As in the path.' })),
    model_version: Type.Optional(Type.String({ description: 'As in the path.' })),
    parameters: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        description:
          "The layer's options, an array as its JSON text; session and release of a backward request; and binary_data_output: whether outputs are wanted as bytes that say nothing of it themselves.",
      }),
    ),
    inputs: Type.Array(
      Type.Object(
        {
          name: Name,
          shape: Shape,
          datatype: Datatype,
          parameters: Type.Optional(Type.Object({ binary_data_size: Type.Optional(BinarySize) }, strict)),
          data: Type.Optional(Data),
        },
        strict,
      ),
      {
        description:
          'Tensors. Those of a forward request inside a backward one, in the place of a session, bear their names behind a dot, forward.x; so do its parameters, forward.epsilon.',
      },
    ),
    outputs: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Name,
            parameters: Type.Optional(
              Type.Object(
                { binary_data: Type.Optional(Type.Boolean({ description: 'Whether it is wanted as bytes.' })) },
                strict,
              ),
            ),
          },
          strict,
        ),
        { description: 'Those that are wanted, in this order; all if there are none.' },
      ),
    ),
  },
  strict,
);

export const InferenceAnswer = Type.Object({
  model_name: Type.String(),
  model_version: Type.String(),
  id: Type.Optional(Type.String()),
  parameters: Type.Optional(Parameters),
  outputs: Type.Array(
    Type.Object({
      name: Type.String(),
      datatype: Datatype,
      shape: Shape,
      parameters: Type.Optional(Type.Object({ binary_data_size: BinarySize })),
      data: Type.Optional(Type.Array(Type.Unknown(), { description: 'Numbers in one flat array, row-major.' })),
    }),
  ),
});
