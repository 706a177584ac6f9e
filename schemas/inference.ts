import { Type } from '@sinclair/typebox';

/** Bodies of the Open Inference Protocol. The codec validates inference requests without these schemas. */
const Name = Type.String({ minLength: 1 });
const Datatype = Type.Union(
  [Type.Literal('FP64'), Type.Literal('FP32'), Type.Literal('INT64'), Type.Literal('INT32')],
  {
    description:
      'Floating-point tensors are either all FP64 or all FP32; this is the precision of the arithmetic. Integer inputs are INT64 or INT32, and integer outputs are INT64.',
  },
);
const Shape = Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1 });
const Data = Type.Unsafe<unknown>({
  allOf: [{ $ref: 'Tensor#' }],
  description: 'Numbers in row-major order, nested according to the shape or in one flat array.',
});
const BinarySize = Type.Integer({
  minimum: 0,
  description:
    'Used instead of data: the number of bytes of the tensor after the JSON part. The bytes are little-endian and packed, in the order of the tensors.',
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
  datatype: Type.String({ description: 'FP32 is accepted instead of FP64, and INT32 instead of INT64.' }),
  shape: Type.Array(Type.Integer(), {
    description: '-1 means any size. If the layer accepts tensors of several ranks, this is the lowest.',
  }),
});

export const ModelMetadata = Type.Object({
  name: Type.String(),
  versions: Type.Array(Type.String()),
  platform: Type.String(),
  inputs: Type.Array(TensorMetadata, {
    description: 'All inputs, optional ones included; GET /layers says which are optional.',
  }),
  outputs: Type.Array(TensorMetadata),
});

export const InferenceError = Type.Object(
  { error: Type.String({ description: 'What was wrong, what was expected and what was received.' }) },
  { ...strict, description: 'A client that accepts application/problem+json receives problem details instead.' },
);

export const ServerLive = Type.Object({ live: Type.Boolean() });
export const ServerReady = Type.Object({ ready: Type.Boolean() });
export const ModelList = Type.Object({ models: Type.Array(Type.String()) });

const ConfiguredTensor = {
  name: Type.String(),
  data_type: Type.String({ description: 'The datatype of the metadata, prefixed with TYPE_.' }),
  dims: Type.Array(Type.Integer(), { description: 'The shape of the metadata.' }),
};

export const ModelConfig = Type.Object(
  {
    name: Type.String(),
    platform: Type.String(),
    backend: Type.String(),
    version_policy: Type.Object({ latest: Type.Object({ num_versions: Type.Integer() }) }),
    max_batch_size: Type.Integer({ description: 'Always 0: the batch is an axis of the tensors.' }),
    input: Type.Array(Type.Object({ ...ConfiguredTensor, optional: Type.Boolean() })),
    output: Type.Array(Type.Object(ConfiguredTensor)),
  },
  { description: "Triton's ModelConfig, as JSON." },
);

export const IndexRequest = Type.Object(
  { ready: Type.Optional(Type.Boolean({ description: 'List only models that are ready.' })) },
  strict,
);

export const RepositoryIndex = Type.Array(
  Type.Object({
    name: Type.String(),
    version: Type.String(),
    state: Type.Union([Type.Literal('READY'), Type.Literal('UNAVAILABLE')]),
    reason: Type.String({ description: 'Why it is unavailable; empty if it is ready.' }),
  }),
);

const durations = (description: string) =>
  Type.Object(
    { count: Type.Integer({ minimum: 0 }), ns: Type.Integer({ minimum: 0, description: 'Nanoseconds in total.' }) },
    { description },
  );
const Computed = {
  compute_input: durations('Reading the request.'),
  compute_infer: durations('The arithmetic.'),
  compute_output: durations('Writing the response.'),
};

export const ModelStatistics = Type.Object(
  {
    model_stats: Type.Array(
      Type.Object({
        name: Type.String(),
        version: Type.String(),
        last_inference: Type.Integer({
          minimum: 0,
          description: 'Time of the latest successful call, in milliseconds since 1970; 0 if there was none.',
        }),
        inference_count: Type.Integer({
          minimum: 0,
          description: 'Successful calls; each counts once, whatever its batch size.',
        }),
        execution_count: Type.Integer({ minimum: 0, description: 'Equal to inference_count: calls are not batched.' }),
        inference_stats: Type.Object({
          success: durations('Successful calls, including queueing.'),
          fail: durations('Calls that were refused or that failed.'),
          queue: durations('Waiting for a thread, before the request was read or before it was computed.'),
          ...Computed,
          cache_hit: durations('Always 0: there is no cache.'),
          cache_miss: durations('Always 0: there is no cache.'),
        }),
        response_stats: Type.Object(
          {},
          { ...strict, description: 'Always empty: it is for models that send several responses to a request.' },
        ),
        batch_stats: Type.Array(
          Type.Object({
            batch_size: Type.Integer({ description: 'Always 1: the batch is an axis of the tensors.' }),
            ...Computed,
          }),
          { description: 'Empty until a call succeeds.' },
        ),
        memory_usage: Type.Array(Type.Object({}), { description: 'Always empty: models keep no memory.', maxItems: 0 }),
      }),
    ),
  },
  {
    description:
      "Triton's statistics, over all processes and since the start. Calls through a layer's other routes are included.",
  },
);

export const ModelReady = Type.Object({ name: Type.String(), ready: Type.Boolean() });

export const InferenceRequest = Type.Object(
  {
    id: Type.Optional(Type.String({ description: 'Returned unchanged in the response.' })),
    model_name: Type.Optional(Type.String({ description: 'The same as in the path.' })),
    model_version: Type.Optional(Type.String({ description: 'The same as in the path.' })),
    parameters: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        description:
          "The layer's options, with arrays as JSON text; session and release in a backward request; and binary_data_output, which requests binary data for every output that does not set binary_data itself.",
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
          'The input tensors. In a backward request without a session, the tensors and parameters of the forward request are prefixed with "forward.": forward.x, forward.epsilon.',
      },
    ),
    outputs: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Name,
            parameters: Type.Optional(
              Type.Object(
                { binary_data: Type.Optional(Type.Boolean({ description: 'Return this output as binary data.' })) },
                strict,
              ),
            ),
          },
          strict,
        ),
        { description: 'The outputs to return, in this order. All are returned if the list is absent or empty.' },
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
      data: Type.Optional(
        Type.Unsafe<unknown>({
          allOf: [{ $ref: 'Tensor1#' }],
          description: 'Numbers in one flat array, in row-major order.',
        }),
      ),
    }),
  ),
});
