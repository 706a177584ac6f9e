/**
 * The Open Inference Protocol, as its text and Triton's extension for bytes have it, with requests as their clients
 * send them: `tritonclient.http` without Content-Type and Accept, KServe's `InferenceRESTClient` with
 * application/octet-stream where bytes follow, and without Content-Type where none do.
 */
import { describe, expect, it } from 'vitest';
import type { FloatDtype } from '../../src/tensor/tensor.js';
import { exchange } from '../support/raw.js';
import {
  bytesOf,
  decode,
  encode,
  inferenceOf,
  type Encoded,
  type Inference,
  type InferenceAnswer,
  type Way,
} from '../support/inference.js';
import { expectProblem, type Refused } from '../support/problem.js';
import { good, layerNames, schemasOf, type Body } from '../support/requests.js';
import { call, serveAll } from '../support/service.js';

const service = serveAll();
const BINARY = 'application/octet-stream';

interface Sent {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

async function send(path: string, { body, jsonBytes }: Encoded, headers: Record<string, string> = {}): Promise<Sent> {
  const length = jsonBytes === undefined ? {} : { 'inference-header-content-length': String(jsonBytes) };
  const response = await fetch(`${service().url}/v2/models/${path}`, {
    method: 'POST',
    headers: { ...length, ...headers },
    body: new Uint8Array(body),
  });
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
}

async function infer(model: string, encoded: Encoded, headers?: Record<string, string>): Promise<InferenceAnswer> {
  const sent = await send(`${model}/infer`, encoded, headers);
  expect(sent.status, sent.bytes.toString()).toBe(200);
  const length = sent.headers.get('inference-header-content-length');
  expect(sent.headers.get('content-type')).toBe(length === null ? 'application/json' : BINARY);
  return decode(sent.bytes, length);
}

const inJson = (request: unknown): Encoded => ({ body: Buffer.from(JSON.stringify(request)) });

/** Same names, shapes and bits as the JSON route gives, but for a session. */
function expectSame(answer: InferenceAnswer, expected: Body, dtype: FloatDtype): void {
  const { session: _, seed, ...tensors } = expected;
  expect(answer.outputs.map(({ name }) => name)).toEqual(Object.keys(tensors));
  for (const { name, datatype, shape, numbers } of answer.outputs) {
    const floats = dtype === 'float64' ? 'FP64' : 'FP32';
    expect([name, datatype]).toEqual([name, name === 'indices' ? 'INT64' : floats]);
    const round = dtype === 'float64' ? Number : Math.fround;
    const flat = (tensors[name] as unknown[]).flat(32).map((entry) => round(Number(entry)));
    expect(numbers.map(round), name).toEqual(flat);
    expect(shape.reduce((all, size) => all * size, 1)).toBe(flat.length);
    expect(shape[0]).toBe((tensors[name] as unknown[]).length);
  }
  expect(answer.parameters?.seed).toBe(seed);
}

describe('the server', () => {
  it('tells what it is', async () => {
    const { body } = (await service().client.get('/v2').expect(200)) as { body: unknown };
    expect(body).toEqual({
      name: 'layerd',
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
      extensions: expect.arrayContaining(['binary_tensor_data']) as string[],
    });
  });

  it('is live and ready', async () => {
    expect((await service().client.get('/v2/health/live').expect(200)).body).toEqual({ live: true });
    expect((await service().client.get('/v2/health/ready').expect(200)).body).toEqual({ ready: true });
  });
});

describe.each(layerNames)('the models of %s', (layer) => {
  it.each(['forward', 'backward'] as const)('tell their tensors: %s', async (direction) => {
    const model = `${layer}_${direction}`;
    const { body } = (await service().client.get(`/v2/models/${model}`).expect(200)) as {
      body: Record<'inputs' | 'outputs', { name: string; datatype: string; shape: number[] }[]>;
    };
    const schemas = schemasOf(layer);
    const names = (schema: { properties: object }, prefix = '') =>
      Object.keys(schema.properties)
        .filter((name) => name !== 'seed')
        .map((name) => prefix + name);
    const { inputs, outputs, ...rest } = body;
    expect(rest).toEqual({ name: model, versions: ['1'], platform: 'layerd' });
    expect(inputs.map(({ name }) => name)).toEqual(
      direction === 'forward'
        ? names(schemas.inputs)
        : [...names(schemas.upstream), ...names(schemas.inputs, 'forward.')],
    );
    expect(outputs.map(({ name }) => name)).toEqual(
      names(direction === 'forward' ? schemas.outputs : schemas.gradients),
    );
    // Of the good requests each has the lowest rank that its layer takes, but for planes of one axis or two.
    const shapes = new Map(
      inferenceOf(layer, direction === 'forward' ? good[layer].forward : { ...good[layer] }, 'float64').inputs.map(
        ({ name, shape }) => [name, shape],
      ),
    );
    for (const { name, datatype, shape, ...others } of [...inputs, ...outputs]) {
      expect(others).toEqual({});
      expect(datatype).toBe(/lengths$|indices$/.test(name) ? 'INT64' : 'FP64');
      expect(shape.length).toBeGreaterThan(0);
      expect(shape.every((size) => size === -1)).toBe(true);
      const sent = shapes.get(name);
      if (sent && layer !== 'pooling' && layer !== 'dropout') expect([name, shape.length]).toEqual([name, sent.length]);
    }
    expect((await service().client.get(`/v2/models/${model}/versions/1`).expect(200)).body).toEqual(body);
    for (const path of [model, `${model}/versions/1`])
      expect((await service().client.get(`/v2/models/${path}/ready`).expect(200)).body).toEqual({
        name: model,
        ready: true,
      });
  });

  const ways: [string, (index: number) => Way][] = [
    ['nested', () => 'nested'],
    ['flat', () => 'flat'],
    ['in binary', () => 'binary'],
    ['mixed', (i) => (['binary', 'flat', 'nested'] as const)[i % 3]],
  ];
  it.each(ways.flatMap(([name, way]) => (['float64', 'float32'] as const).map((dtype) => [name, dtype, way] as const)))(
    'give what the JSON routes give, to the last bit: %s, %s',
    async (_name, dtype, way) => {
      const { forward, backward } = good[layer];
      const asked = [
        ['forward', { ...forward, session: false }, { ...forward, session: false, dtype }],
        ['backward', { forward, ...backward }, { forward: { ...forward, dtype }, ...backward }],
      ] as const;
      for (const [direction, request, reference] of asked) {
        const inference = inferenceOf(layer, request, dtype);
        const expected = await call(service(), `${layer}/${direction}`, reference);
        for (const binary of [false, true]) {
          const parameters = { ...inference.parameters, binary_data_output: binary };
          const answer = await infer(`${layer}_${direction}`, encode({ ...inference, parameters }, way));
          for (const { data, parameters: own } of answer.outputs) {
            expect(own !== undefined).toBe(binary);
            expect(data === undefined).toBe(binary);
          }
          expectSame(answer, expected, dtype);
        }
      }
    },
  );

  it('share sessions with the other routes', async () => {
    const { forward, backward } = good[layer];
    const { session } = await call(service(), layer, forward);
    const expected = await call(service(), `${layer}/backward`, { session, ...backward });
    const upstream = inferenceOf(layer, { ...backward, session }, 'float64');
    expectSame(
      await infer(
        `${layer}_backward`,
        encode(upstream, () => 'flat'),
      ),
      expected,
      'float64',
    );

    const answer = await infer(
      `${layer}_forward`,
      encode(inferenceOf(layer, forward, 'float64'), () => 'binary'),
    );
    const token = answer.parameters?.session ?? '';
    expect(await call(service(), `${layer}/backward`, { session: token, ...backward, release: true })).toEqual(
      expected,
    );
    expectProblem404(
      await send(
        `${layer}_backward/infer`,
        encode(inferenceOf(layer, { ...backward, session: token }, 'float64'), () => 'flat'),
      ),
    );
  });

  it('take the example of the OpenAPI document', async () => {
    const document = (await service().client.get('/openapi.json')).body as {
      paths: Record<string, { post: { requestBody: { content: Record<string, { example: Inference }> } } }>;
    };
    const { example } = document.paths['/v2/models/{model}/infer'].post.requestBody.content['application/json'];
    const answer = await infer(`${layerNames[0]}_forward`, inJson(example));
    expect(answer.id).toBe(example.id);
  });
});

function expectProblem404({ status, bytes }: Sent): void {
  expect([status, JSON.parse(bytes.toString())]).toMatchObject([404, { type: '/problems/unknown-session' }]);
}

const x = { name: 'x', shape: [2, 3], datatype: 'FP64', data: [1, 2, 3, 4, 5, 6] };
const weight = { name: 'weight', shape: [1, 3], datatype: 'FP64', data: [[0.5, 0, -0.5]] };
const linear = { inputs: [x, weight], parameters: { session: false } };
const inputs = (...changed: object[]) => ({ ...linear, inputs: changed });

describe('a request of Triton’s client', () => {
  it('is served as it comes: HTTP by hand, no Content-Type, no Accept, bytes in and out', async () => {
    const json = JSON.stringify({
      id: 'r1',
      inputs: [
        { name: 'x', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } },
        { name: 'weight', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } },
      ],
      parameters: { binary_data_output: true, session: false },
    });
    const tail = Buffer.concat([bytesOf([1, 2], 'FP32'), bytesOf([0.5, 0.25], 'FP32')]);
    const head =
      `POST /v2/models/linear_forward/infer HTTP/1.1\r\nUser-Agent: python/gevent-http-client-2.0.2\r\n` +
      `Inference-Header-Content-Length: ${json.length}\r\nHost: 127.0.0.1\r\nConnection: close\r\n` +
      `Content-Length: ${json.length + tail.length}\r\n\r\n`;
    const answer = await exchange(service().port, Buffer.concat([Buffer.from(head + json), tail]));
    const end = answer.indexOf('\r\n\r\n');
    const answered = answer.slice(0, end).toLowerCase();
    expect(answered).toMatch(/^http\/1\.1 200 ok/);
    expect(answered).toContain(`content-type: ${BINARY}`);
    const length = /inference-header-content-length: (\d+)/.exec(answered)?.[1] ?? null;
    const read = decode(Buffer.from(answer.slice(end + 4), 'latin1'), length);
    expect(read).toEqual({
      model_name: 'linear_forward',
      model_version: '1',
      id: 'r1',
      outputs: [{ name: 'out', datatype: 'FP32', shape: [1, 1], parameters: { binary_data_size: 4 }, numbers: [1] }],
    });
  });

  it('gets each output as it asks for it, in its order', async () => {
    const request = inferenceOf('lstm', good.lstm.forward, 'float64');
    const outputs = [
      { name: 'c_n', parameters: { binary_data: true } },
      { name: 'out', parameters: { binary_data: false } },
      { name: 'h_n' },
    ];
    for (const binary of [false, true]) {
      const parameters = { ...request.parameters, binary_data_output: binary };
      const answer = await infer(
        'lstm_forward',
        encode({ ...request, parameters, outputs }, () => 'binary'),
      );
      expect(answer.outputs.map(({ name, data }) => [name, data === undefined])).toEqual([
        ['c_n', true],
        ['out', false],
        ['h_n', binary],
      ]);
      expect(answer.parameters?.session).toMatch(/^[\w-]{22,}$/);
      const expected = await call(service(), 'lstm', good.lstm.forward);
      for (const { name, numbers } of answer.outputs) expect(numbers).toEqual((expected[name] as number[]).flat(3));
    }
  });

  it('may name the version, which comes back', async () => {
    const sent = await send('linear_forward/versions/1/infer', inJson(linear));
    expect(sent.status).toBe(200);
    expect(decode(sent.bytes, null)).toMatchObject({ model_name: 'linear_forward', model_version: '1' });
  });
});

describe('a request of KServe’s client', () => {
  it('is served as it comes: the model’s name in it, application/octet-stream, Accept */*', async () => {
    const request = { id: 'b9e7', model_name: 'linear_forward', ...linear };
    const answer = await infer(
      'linear_forward',
      encode(request, (i) => (i === 0 ? 'binary' : 'flat')),
      {
        'content-type': BINARY,
        accept: '*/*',
      },
    );
    expect(answer).toEqual({
      model_name: 'linear_forward',
      model_version: '1',
      id: 'b9e7',
      outputs: [{ name: 'out', datatype: 'FP64', shape: [2, 1], data: [-1, -1], numbers: [-1, -1] }],
    });
  });

  it.each([
    ['application/json', 'application/json'],
    ['application/json; charset=utf-8', 'application/json'],
    [BINARY, BINARY],
    [BINARY, 'text/html, */*;q=0.1'],
  ])('is served with Content-Type %s and Accept %s', async (type, accept) => {
    const headers = { 'content-type': type, accept };
    expect((await infer('linear_forward', inJson(linear), headers)).outputs[0].numbers).toEqual([-1, -1]);
    const binary = encode(
      { ...linear, parameters: { ...linear.parameters, binary_data_output: true } },
      () => 'binary',
    );
    expect((await infer('linear_forward', binary, headers)).outputs[0].numbers).toEqual([-1, -1]);
  });

  it('may have null where an optional field is not there', async () => {
    const absent = { id: null, model_name: null, outputs: null };
    const request = { ...absent, ...linear, inputs: [{ ...x, parameters: null }, weight] };
    expect((await infer('linear_forward', inJson(request))).outputs[0].numbers).toEqual([-1, -1]);
    const { data: _, ...rest } = x;
    const inBinary = Buffer.from(
      JSON.stringify({ ...linear, inputs: [{ ...rest, data: null, parameters: { binary_data_size: 48 } }, weight] }),
    );
    const body = Buffer.concat([inBinary, bytesOf(x.data, 'FP64')]);
    const answer = await infer('linear_forward', { body, jsonBytes: inBinary.length });
    expect(answer.outputs[0].numbers).toEqual([-1, -1]);
  });
});

describe('numbers', () => {
  it('that are not finite are strings in JSON, and themselves in bytes', async () => {
    const odd = { ...x, shape: [3, 1], data: ['NaN', 'Infinity', '-Infinity'] };
    const one = { ...weight, shape: [1, 1], data: [1] };
    const json = await infer('linear_forward', inJson(inputs(odd, one)));
    expect(json.outputs[0].data).toEqual(['NaN', 'Infinity', '-Infinity']);
    const parameters = { session: false, binary_data_output: true };
    const binary = await infer(
      'linear_forward',
      encode({ inputs: [odd, one], parameters }, () => 'binary'),
    );
    expect(binary.outputs[0].numbers).toEqual([NaN, Infinity, -Infinity]);
  });

  it('of FP32 are written as its shortest decimals, and computed with its precision', async () => {
    const single = inputs(
      { ...x, datatype: 'FP32', data: [0.1, 0, 0, 0.3, 0, 0] },
      { ...weight, datatype: 'FP32', data: [1, 1, 1] },
    );
    const { bytes } = await send('linear_forward/infer', inJson(single));
    expect(bytes.toString()).toContain('"data":[0.1,0.3]');
    const told = { ...single, parameters: { ...linear.parameters, dtype: 'float32' } };
    expect((await infer('linear_forward', inJson(told))).outputs[0].datatype).toBe('FP32');
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('are read from bytes that begin %d bytes off alignment', async (blanks) => {
    for (const datatype of ['FP64', 'FP32']) {
      const request = encode(inputs({ ...x, datatype }, { ...weight, datatype }) as Inference, () => 'binary');
      const json = Buffer.concat([request.body.subarray(0, request.jsonBytes), Buffer.alloc(blanks, ' ')]);
      const body = Buffer.concat([json, request.body.subarray(request.jsonBytes)]);
      const answer = await infer('linear_forward', { body, jsonBytes: json.length });
      expect(answer.outputs[0].numbers).toEqual([-1, -1]);
    }
  });

  it('come by the hundred thousand, flat and in bytes', async () => {
    const data = Array.from({ length: 200_000 }, (_, i) => (i % 1000) / 7);
    const large = { name: 'x', shape: [400, 500], datatype: 'FP64', data };
    for (const way of ['flat', 'binary'] as const)
      for (const binary of [false, true]) {
        const request = {
          inputs: [large],
          parameters: { training: false, session: false, binary_data_output: binary },
        };
        const { outputs } = await infer(
          'dropout_forward',
          encode(request, () => way),
        );
        expect(outputs[0].shape).toEqual([400, 500]);
        expect(outputs[0].numbers).toEqual(data);
      }
  });
});

describe('a wrong request', () => {
  const text = (request: object): Encoded => inJson({ ...linear, ...request });
  const bad = (change: object) => inJson(inputs(x, { ...weight, ...change }));
  const binary = encode(linear, () => 'binary');
  const bytes = (change: { add?: number; jsonBytes?: number }): Encoded => ({
    body: Buffer.concat([binary.body, Buffer.alloc(Math.max(0, change.add ?? 0))]).subarray(
      0,
      binary.body.length + (change.add ?? 0),
    ),
    jsonBytes: change.jsonBytes ?? binary.jsonBytes ?? 0,
  });
  const { data: _, ...noData } = weight;

  const request = (type: Refused['type'], says: string | RegExp, ...at: string[]): Refused => ({
    status: 400,
    type,
    says,
    at,
  });
  it.each<[string, Encoded, Refused]>([
    [
      'an unknown field',
      text({ input: [] }),
      request(
        'invalid-request',
        '/input is unknown; expected one of id, model_name, model_version, parameters, inputs, outputs',
        '/input',
      ),
    ],
    ['an id that is a number', text({ id: 42 }), request('invalid-request', '/id is 42; expected a string', '/id')],
    [
      'another model’s name',
      text({ model_name: 'rnn_forward' }),
      request(
        'invalid-request',
        '/model_name is "rnn_forward"; expected "linear_forward", as in the path',
        '/model_name',
      ),
    ],
    [
      'another version',
      text({ model_version: '2' }),
      request('invalid-request', '/model_version is "2"; expected "1", as in the path', '/model_version'),
    ],
    ['no object', inJson([1]), request('invalid-request', 'the body is an array of 1; expected an object', '')],
    [
      'no inputs',
      inJson({}),
      request('invalid-request', '/inputs is missing; expected an array of tensors', '/inputs'),
    ],
    [
      'empty inputs',
      text({ inputs: [] }),
      request('invalid-request', /^\/x is missing; expected a tensor/, '/inputs', '/inputs'),
    ],
    [
      'a missing input',
      inJson(inputs(x)),
      request('invalid-request', /^\/weight is missing; expected a tensor/, '/inputs'),
    ],
    [
      'an unknown input',
      inJson(inputs(x, weight, { ...x, name: 'y' })),
      request('invalid-request', '/y is unknown; expected one of x, weight, bias, dtype, session', '/inputs/2'),
    ],
    [
      'an input twice',
      inJson(inputs(x, weight, x)),
      request('invalid-request', '/inputs/2 is "x", as /inputs/0 is; expected each name once', '/inputs/2'),
    ],
    [
      'more inputs than any model has',
      inJson({ inputs: Array.from({ length: 65 }, (_, i) => ({ ...x, name: `x${i}` })) }),
      request('invalid-request', '/inputs has 65 entries; expected at most 64', '/inputs'),
    ],
    [
      'more parameters than any model takes',
      text({ parameters: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`p${i}`, i])) }),
      request('invalid-request', '/parameters has 65 entries; expected at most 64', '/parameters'),
    ],
    [
      'an input that is no object',
      inJson({ ...linear, inputs: [1] }),
      request('invalid-request', '/inputs/0 is 1; expected an object', '/inputs/0'),
    ],
    [
      'an input without a name',
      bad({ name: undefined }),
      request('invalid-request', '/inputs/1/name is missing; expected the name of a tensor', '/inputs/1/name'),
    ],
    [
      'an unknown field of an input',
      bad({ dtype: 'FP64' }),
      request(
        'invalid-request',
        '/inputs/1/dtype is unknown; expected one of name, shape, datatype, parameters, data',
        '/inputs/1/dtype',
      ),
    ],
    [
      'an unknown parameter of an input',
      bad({ parameters: { shared_memory_region: 'r' } }),
      request(
        'invalid-request',
        '/inputs/1/parameters/shared_memory_region is unknown; expected binary_data_size',
        '/inputs/1/parameters/shared_memory_region',
      ),
    ],
    [
      'a datatype that is not spoken',
      bad({ datatype: 'FP16' }),
      request('invalid-tensor', 'weight has datatype "FP16"; expected one of FP64, FP32, INT64', '/inputs/1/datatype'),
    ],
    [
      'two datatypes of floats',
      bad({ datatype: 'FP32' }),
      request('invalid-tensor', 'weight is FP32; expected FP64, as x is', '/inputs/1/datatype'),
    ],
    [
      'integers where floats are wanted',
      bad({ datatype: 'INT64', data: [1, 2, 3] }),
      request('invalid-tensor', 'weight is INT64 of shape [1, 3]; expected an input of FP64', '/inputs/1/datatype'),
    ],
    [
      'a dtype that the tensors have not',
      text({ parameters: { dtype: 'float32' } }),
      request('invalid-request', 'dtype is float32; expected float64, which the tensors are', '/parameters/dtype'),
    ],
    [
      'no shape',
      bad({ shape: undefined }),
      request('invalid-tensor', /^weight has shape undefined; expected the sizes of 1 to 32 axes/, '/inputs/1/shape'),
    ],
    [
      'an empty axis',
      bad({ shape: [0, 3], data: [] }),
      request(
        'invalid-tensor',
        'weight has shape [0, 3]; expected the sizes of 1 to 32 axes, none empty',
        '/inputs/1/shape',
      ),
    ],
    [
      'a size of -1',
      bad({ shape: [-1, 3] }),
      request('invalid-tensor', /^weight has shape an array of 2; expected/, '/inputs/1/shape'),
    ],
    [
      '33 axes',
      bad({ shape: Array(33).fill(1), data: [1] }),
      request(
        'invalid-tensor',
        /^weight has shape an array of 33; expected the sizes of 1 to 32 axes/,
        '/inputs/1/shape',
      ),
    ],
    [
      'fewer numbers than the shape has',
      bad({ data: [1, 2] }),
      request('invalid-tensor', 'weight has 2 numbers; expected 3, because its shape is [1, 3]', '/inputs/1/data'),
    ],
    [
      'more numbers',
      bad({ data: [1, 2, 3, 4] }),
      request('invalid-tensor', 'weight has 4 numbers; expected 3, because its shape is [1, 3]', '/inputs/1/data'),
    ],
    [
      'another nesting',
      bad({ data: [[1], [2], [3]] }),
      request(
        'invalid-tensor',
        'weight has data nested as [3, 1]; expected [1, 3], its shape, or 3 numbers in one array',
        '/inputs/1/data',
      ),
    ],
    [
      'a shape that overflows',
      bad({ shape: Array(30).fill(2 ** 50), data: [1] }),
      request('invalid-tensor', /^weight has 1 numbers; expected \S+, because its shape is/, '/inputs/1/data'),
    ],
    [
      'ragged data',
      bad({ data: [[1, 2], [3]] }),
      request('ragged-tensor', /^\/inputs\/1\/data\/1 has 1 entries; expected 2/, '/inputs/1/data/1'),
    ],
    [
      'a null among the numbers',
      bad({ data: [1, null, 3] }),
      request('invalid-tensor', /^\/inputs\/1\/data\/1 is null; expected a number/, '/inputs/1/data/1'),
    ],
    [
      'a string among the numbers',
      bad({ data: [['1', 2, 3]] }),
      request('invalid-tensor', /^\/inputs\/1\/data\/0\/0 is "1"; expected a number/, '/inputs/1/data/0/0'),
    ],
    [
      'no number at all',
      bad({ data: 'AAAA' }),
      request('invalid-tensor', /^\/inputs\/1\/data is "AAAA"; expected a tensor/, '/inputs/1/data'),
    ],
    [
      'empty data',
      bad({ data: [] }),
      request('invalid-tensor', /^\/inputs\/1\/data is an empty array/, '/inputs/1/data'),
    ],
    [
      'no data',
      inJson(inputs(x, noData)),
      request('invalid-tensor', 'weight has neither data nor binary_data_size; expected one of the two', '/inputs/1'),
    ],
    [
      'data and bytes',
      bad({ parameters: { binary_data_size: 24 } }),
      request(
        'invalid-tensor',
        'weight has both data and binary_data_size; expected one of the two',
        '/inputs/1/parameters',
      ),
    ],
    [
      'a size of bytes that the shape has not',
      inJson(inputs(x, { ...noData, parameters: { binary_data_size: 23 } })),
      request(
        'invalid-tensor',
        'weight has binary_data_size 23; expected 24, because it is FP64 of shape [1, 3]',
        '/inputs/1/parameters/binary_data_size',
      ),
    ],
    [
      'a size of bytes that is no number',
      inJson(inputs(x, { ...noData, parameters: { binary_data_size: '24' } })),
      request(
        'invalid-tensor',
        'weight has binary_data_size "24"; expected 24, because it is FP64 of shape [1, 3]',
        '/inputs/1/parameters/binary_data_size',
      ),
    ],
    [
      'bytes that are missing altogether',
      inJson(inputs(x, { ...noData, parameters: { binary_data_size: 24 } })),
      request(
        'invalid-inference-request',
        '0 bytes follow the JSON part; expected 24, what the binary_data_size of the inputs add up to',
      ),
    ],
    [
      'a byte too few',
      bytes({ add: -1 }),
      request('invalid-inference-request', /^71 bytes follow the JSON part; expected 72, /),
    ],
    [
      'a byte too many',
      bytes({ add: 1 }),
      request('invalid-inference-request', /^73 bytes follow the JSON part; expected 72, /),
    ],
    [
      'bytes without a length of the JSON part',
      { body: binary.body },
      request('invalid-json', /Inference-Header-Content-Length must say how long that is$/),
    ],
    [
      'a length over the body',
      bytes({ jsonBytes: 10_000 }),
      request(
        'invalid-inference-request',
        `the JSON part is said to have 10000 bytes; expected at most ${binary.body.length}, those of the body`,
      ),
    ],
    [
      'a length that is too short',
      bytes({ jsonBytes: 20 }),
      request('invalid-json', /^in the JSON part, the first 20 bytes, the body is not JSON: /),
    ],
    [
      'a length of 0',
      bytes({ jsonBytes: 0 }),
      request('invalid-json', /^in the JSON part, the first 0 bytes, the body is empty/),
    ],
    ['an empty body', { body: Buffer.alloc(0) }, request('invalid-json', 'the body is empty; expected a JSON object')],
    [
      'a body that is not JSON',
      { body: Buffer.from('{"inputs":') },
      request('invalid-json', /^the body is not JSON: /),
    ],
    [
      'what is not JSON behind what is wrong',
      { body: Buffer.from('{"inputs":[{"name":7,"data":[1,]}]}') },
      request('invalid-json', /^the body is not JSON: /),
    ],
    [
      'parameters that are no object',
      text({ parameters: [] }),
      request('invalid-request', '/parameters is an empty array; expected an object', '/parameters'),
    ],
    [
      'an unknown parameter',
      text({ parameters: { priority: 1 } }),
      request(
        'invalid-request',
        '/priority is unknown; expected one of x, weight, bias, dtype, session',
        '/parameters/priority',
      ),
    ],
    [
      'a parameter that is an array',
      text({ parameters: { session: [1] } }),
      request(
        'invalid-request',
        '/parameters/session is an array of 1; expected a string, a number, true or false; an array is written as its JSON text',
        '/parameters/session',
      ),
    ],
    [
      'a parameter that is null',
      text({ parameters: { session: null } }),
      request('invalid-request', /^\/parameters\/session is null; expected a string/, '/parameters/session'),
    ],
    [
      'a parameter that only begins as an array',
      text({ parameters: { dtype: '[1,' } }),
      request('invalid-request', '/parameters/dtype is "[1,"; expected the JSON text of an array', '/parameters/dtype'),
    ],
    [
      'a parameter of the wrong type',
      text({ parameters: { session: 'yes' } }),
      request('invalid-request', '/session is "yes"; expected true or false', '/parameters/session'),
    ],
    [
      'a tensor among the parameters',
      inJson({ inputs: [x], parameters: { weight: 1 } }),
      request('invalid-tensor', 'weight is a parameter; expected an input of FP64', '/parameters/weight'),
    ],
    [
      'an option among the inputs',
      inJson({ inputs: [x, weight, { ...x, name: 'session' }] }),
      request('invalid-request', '/session is an object; expected true or false', '/inputs/2'),
    ],
    [
      'a name that is an input and a parameter',
      text({ parameters: { x: 1 } }),
      request('invalid-request', '"x" is both an input and a parameter; expected one of the two', '/parameters/x'),
    ],
    [
      'binary_data_output that is no boolean',
      text({ parameters: { binary_data_output: 1 } }),
      request(
        'invalid-request',
        '/parameters/binary_data_output is 1; expected true or false',
        '/parameters/binary_data_output',
      ),
    ],
    [
      'an unknown output',
      text({ outputs: [{ name: 'output0' }] }),
      request('invalid-request', '/outputs/0 asks for "output0"; expected one of out', '/outputs/0'),
    ],
    [
      'an output twice',
      text({ outputs: [{ name: 'out' }, { name: 'out' }] }),
      request('invalid-request', '/outputs/1 is "out", as /outputs/0 is; expected each name once', '/outputs/1'),
    ],
    [
      'an unknown parameter of an output',
      text({ outputs: [{ name: 'out', parameters: { classification: 2 } }] }),
      request(
        'invalid-request',
        '/outputs/0/parameters/classification is unknown; expected binary_data',
        '/outputs/0/parameters/classification',
      ),
    ],
    [
      'binary_data that is no boolean',
      text({ outputs: [{ name: 'out', parameters: { binary_data: 'true' } }] }),
      request(
        'invalid-request',
        '/outputs/0/parameters/binary_data is "true"; expected true or false',
        '/outputs/0/parameters/binary_data',
      ),
    ],
    [
      'outputs that are no array',
      text({ outputs: { name: 'out' } }),
      request('invalid-request', '/outputs is an object; expected an array of tensors', '/outputs'),
    ],
    [
      'shapes that do not fit',
      bad({ shape: [1, 2], data: [1, 2] }),
      {
        status: 422,
        type: 'shape-mismatch',
        says: 'weight has shape [1, 2]; expected [1, 3], because x has 3 features',
        at: ['/inputs/1'],
      },
    ],
  ])('is refused with the place and both sides: %s', async (_what, encoded, expected) => {
    expectRefused(await send('linear_forward/infer', encoded), expected);
  });

  it.each(['abc', '-1', '1.5', '1e3', '0x10', '', '12, 12', '99999999999999999999'])(
    'is refused where the length of the JSON part is %j',
    async (length) => {
      const headers = { 'inference-header-content-length': length };
      expectRefused(await send('linear_forward/infer', { body: binary.body }, headers), {
        status: 400,
        type: 'invalid-inference-request',
        says: `Inference-Header-Content-Length is "${length}"; expected the bytes of the JSON part, an integer`,
      });
    },
  );

  it.each([
    ['nothing_forward/infer', 'there is no model "nothing_forward"; expected one of batchnorm_forward, '],
    ['linear/infer', 'there is no model "linear"; expected one of '],
    ['linear_forward/versions/2/infer', 'linear_forward has no version "2"; expected "1"'],
  ])('is 404 for a model that there is not: %s', async (path, says) => {
    for (const headers of [{}, { 'content-type': 'text/plain', accept: 'text/plain' }])
      expectRefused(await send(path, { body: Buffer.from('{') }, headers), {
        status: 404,
        type: 'unknown-model',
        says: new RegExp(`^${says}`),
      });
    for (const own of [path.replace('/infer', ''), path.replace('infer', 'ready')]) {
      const { status, body } = (await service().client.get(`/v2/models/${own}`)) as { status: number; body: unknown };
      expect([status, body]).toMatchObject([
        404,
        { type: '/problems/unknown-model', error: expect.any(String) as string },
      ]);
    }
  });

  it('is refused for its media types as elsewhere', async () => {
    for (const type of ['application/vnd.safetensors', 'text/plain', 'application/x-www-form-urlencoded'])
      expectRefused(await send('linear_forward/infer', inJson(linear), { 'content-type': type }), {
        status: 415,
        type: 'unsupported-media-type',
        says: `the body's Content-Type is ${type}; expected application/json or application/octet-stream, or none`,
      });
    expectRefused(await send('linear_forward/infer', inJson(linear), { accept: 'application/xml' }), {
      status: 406,
      type: 'not-acceptable',
      says: 'Accept is application/xml; expected application/json or application/octet-stream among it',
    });
  });

  it('has the error beside the problem for every other failure under /v2, and nowhere else', async () => {
    const { client } = service();
    for (const [sent, status] of [
      [await client.get('/v2/nothing'), 404],
      [await client.delete('/v2/models/linear_forward'), 405],
      [await client.post('/v2'), 405],
      [await client.get('/v2').set('accept', 'text/html'), 406],
      [await client.get('/v2/models/%zz'), 400],
    ] as const) {
      const { body } = sent as { body: { detail: string; error: string } };
      expect(sent.status).toBe(status);
      expect(body.error).toBe(body.detail);
    }
    for (const path of ['/v2x', '/v3', '/nothing/v2'])
      expect((await client.get(path)).body).not.toHaveProperty('error');
  });

  it('points into the integers of a flat tensor', async () => {
    const request = inferenceOf('rnn', { ...good.rnn.forward, sequence_lengths: [3] }, 'float64');
    const place = request.inputs.findIndex(({ name }) => name === 'sequence_lengths');
    expectRefused(await send('rnn_forward/infer', inJson(request)), {
      status: 422,
      type: 'value-mismatch',
      says: /sequence_lengths/,
      at: [`/inputs/${place}/data/0`],
    });
    expectRefused(
      await send(
        'rnn_forward/infer',
        encode(request, () => 'binary'),
      ),
      {
        status: 422,
        type: 'value-mismatch',
        says: /sequence_lengths/,
        at: [`/inputs/${place}`],
      },
    );
  });

  it('names the tensor where an integer is over 32 bits', async () => {
    const request = inferenceOf('rnn', { ...good.rnn.forward, sequence_lengths: [2 ** 32] }, 'float64');
    const place = request.inputs.findIndex(({ name }) => name === 'sequence_lengths');
    expectRefused(
      await send(
        'rnn_forward/infer',
        encode(request, () => 'binary'),
      ),
      {
        status: 400,
        type: 'invalid-tensor',
        says: 'sequence_lengths holds 4294967296; expected integers of 32 bits',
        at: [`/inputs/${place}`],
      },
    );
  });
});

describe('backward', () => {
  const { forward, backward } = good.linear;
  const of = (request: Body, change: object = {}) =>
    inJson({ ...inferenceOf('linear', request, 'float64'), ...change });

  it('refuses an output that this request does not give, and keeps the session that it would have released', async () => {
    const { session } = await call(service(), 'linear', { ...forward, bias: undefined });
    const request = { session, release: true, ...backward };
    const outputs = [{ name: 'dx' }, { name: 'dbias' }];
    expectRefused(await send('linear_backward/infer', of(request, { outputs })), {
      status: 422,
      type: 'value-mismatch',
      says: '/outputs/1 asks for dbias; expected one of dx, dweight, which this request gives',
      at: ['/outputs/1'],
    });
    const answer = await infer('linear_backward', of(request, { outputs: outputs.slice(0, 1) }));
    expect(answer.outputs.map(({ name }) => name)).toEqual(['dx']);
    expectProblem404(await send('linear_backward/infer', of(request)));
  });

  it('makes no session for a forward request whose outputs it does not give', async () => {
    const before = await service().client.get('/metrics');
    const request = inferenceOf('dropout', { ...good.dropout.forward, training: false }, 'float64');
    expectRefused(await send('dropout_forward/infer', inJson({ ...request, outputs: [{ name: 'mask' }] })), {
      status: 422,
      type: 'value-mismatch',
      says: '/outputs/0 asks for mask; expected one of out, which this request gives',
      at: ['/outputs/0'],
    });
    const sessions = ({ text }: { text: string }) => /^layerd_sessions (\d+)$/m.exec(text)?.[1];
    expect(sessions(await service().client.get('/metrics'))).toBe(sessions(before));
  });

  it.each<[string, Body, Refused]>([
    [
      'neither session nor forward',
      backward,
      { status: 400, type: 'invalid-request', says: /^neither "session" nor "forward" came/, at: ['/parameters'] },
    ],
    [
      'both',
      { session: 'x'.repeat(32), forward, ...backward },
      { status: 400, type: 'invalid-request', says: /^"session" and "forward" both came/, at: ['/inputs/0'] },
    ],
    [
      'no upstream gradient',
      { forward },
      { status: 400, type: 'invalid-request', says: /^\/dout is missing/, at: ['/inputs'] },
    ],
    [
      'an unknown tensor inside',
      { forward: { ...forward, gamma: 1 }, ...backward },
      { status: 400, type: 'invalid-request', says: /^\/forward\/gamma is unknown/, at: ['/parameters/forward.gamma'] },
    ],
    [
      'a missing tensor inside',
      { forward: { x: forward.x }, ...backward },
      { status: 400, type: 'invalid-request', says: /^\/forward\/weight is missing/, at: ['/inputs'] },
    ],
    [
      'shapes inside that do not fit',
      { forward: { ...forward, weight: [[1]] }, ...backward },
      { status: 422, type: 'shape-mismatch', says: /^weight has shape \[1, 1\]/, at: ['/inputs/1'] },
    ],
    [
      'a session that is not there',
      { session: 'x'.repeat(32), ...backward },
      { status: 404, type: 'unknown-session', says: /^there is no such session/, at: ['/parameters/session'] },
    ],
  ])('refuses with the place in the request: %s', async (_what, request, expected) => {
    expectRefused(await send('linear_backward/infer', of(request)), expected);
  });

  it('refuses a session of another layer', async () => {
    const { session } = await call(service(), 'dropout', good.dropout.forward);
    expectRefused(await send('linear_backward/infer', of({ session, ...backward })), {
      status: 409,
      type: 'session-of-another-layer',
      says: /^the session belongs to dropout; expected one of linear/,
      at: ['/parameters/session'],
    });
  });

  it('refuses a name that is also that of a nested request', async () => {
    const request = inferenceOf('linear', { forward, ...backward }, 'float64');
    const sent = await send('linear_backward/infer', inJson({ ...request, parameters: { forward: 'x' } }));
    expectRefused(sent, {
      status: 400,
      type: 'invalid-request',
      says: 'forward stands beside forward.…; expected one of the two',
      at: ['/parameters/forward'],
    });
  });
});

function expectRefused({ status, headers, bytes }: Sent, expected: Refused): void {
  const { error, ...body } = JSON.parse(bytes.toString()) as { error: string; detail: string };
  expectProblem({ status, headers: Object.fromEntries(headers), body }, expected);
  expect(error).toBe(body.detail);
}
