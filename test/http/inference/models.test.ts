/**
 * The metadata of the models of the Open Inference Protocol, and that their results equal those of the other routes.
 */
import { describe, expect, it } from 'vitest';
import type { FloatDtype } from '../../../src/tensor/tensor.js';
import {
  encode,
  inferenceOf,
  inferring,
  inJson,
  type Inference,
  type InferenceAnswer,
  type Way,
} from '../../support/inference.js';
import { good, layerNames, schemasOf, type Body } from '../../support/requests.js';
import { call, serveAll } from '../../support/service.js';

const service = serveAll();
const { send, infer } = inferring(service);

/** Expects the names, shapes and bits of the JSON route's answer, except the session. */
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
  it('describes itself', async () => {
    const { body } = (await service().client.get('/v2').expect(200)) as { body: unknown };
    expect(body).toEqual({
      name: 'layerd',
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
      extensions: expect.arrayContaining(['binary_tensor_data', 'statistics']) as string[],
    });
  });

  it('lists its models as ready, for an empty request as Triton’s clients send it', async () => {
    const names = layerNames.flatMap((layer) => [`${layer}_forward`, `${layer}_backward`]);
    expect((await service().client.get('/v2/models').expect(200)).body).toEqual({ models: names });
    const index = names.map((name) => ({ name, version: '1', state: 'READY', reason: '' }));
    const url = `${service().url}/v2/repository/index`;
    for (const body of [undefined, new Uint8Array(), Buffer.from('{}'), Buffer.from('{"ready":true}')])
      expect(await (await fetch(url, { method: 'POST', body: body ?? null })).json()).toEqual(index);
    const refused = await fetch(url, { method: 'POST', body: Buffer.from('{"ready":1,"repository":"a"}') });
    expect([refused.status, await refused.json()]).toEqual([
      400,
      { error: '/repository is unknown; expected ready; /ready is 1; expected true or false' },
    ]);
  });

  it('is live and ready', async () => {
    expect((await service().client.get('/v2/health/live').expect(200)).body).toEqual({ live: true });
    expect((await service().client.get('/v2/health/ready').expect(200)).body).toEqual({ ready: true });
  });
});

describe.each(layerNames)('the models of %s', (layer) => {
  it.each(['forward', 'backward'] as const)('list their tensors: %s', async (direction) => {
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
    // Most valid requests have the lowest rank that their layer accepts.
    const isLowest = !['dropout', 'linear', 'pooling'].includes(layer);
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
      if (sent && isLowest) expect([name, shape.length]).toEqual([name, sent.length]);
      if (sent) expect(shape.length, name).toBeLessThanOrEqual(sent.length);
    }
    expect((await service().client.get(`/v2/models/${model}/versions/1`).expect(200)).body).toEqual(body);
    const { body: config } = (await service().client.get(`/v2/models/${model}/config`).expect(200)) as {
      body: { input: { name: string; optional: boolean }[]; output: object[] };
    };
    const triton = ({ name, datatype, shape }: (typeof inputs)[number]) => ({
      name,
      data_type: `TYPE_${datatype}`,
      dims: shape,
    });
    expect(config).toMatchObject({
      name: model,
      platform: 'layerd',
      max_batch_size: 0,
      input: inputs.map(triton),
      output: outputs.map(triton),
    });
    const needed = config.input.filter(({ optional }) => !optional).map(({ name }) => name);
    const required = (direction === 'forward' ? schemas.inputs : schemas.upstream).required ?? [];
    expect(needed).toEqual(required);
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
    expect(
      await send(
        `${layer}_backward/infer`,
        encode(inferenceOf(layer, { ...backward, session: token }, 'float64'), () => 'flat'),
      ),
    ).toMatchObject({ status: 404 });
  });

  it('accept the example of the OpenAPI document', async () => {
    const document = (await service().client.get('/openapi.json')).body as {
      paths: Record<string, { post: { requestBody: { content: Record<string, { example: Inference }> } } }>;
    };
    const { example } = document.paths['/v2/models/{model}/infer'].post.requestBody.content['application/json'];
    const answer = await infer(`${layerNames[0]}_forward`, inJson(example));
    expect(answer.id).toBe(example.id);
  });
});

describe('integers', () => {
  const request = inferenceOf('lstm', { ...good.lstm.forward, sequence_lengths: [1], session: false }, 'float64');

  it.each(['nested', 'flat', 'binary'] as const)(
    'may be INT32 or INT64, with the same results in both cases: %s',
    async (way) => {
      const with32 = {
        ...request,
        inputs: request.inputs.map((input) => (input.datatype === 'INT64' ? { ...input, datatype: 'INT32' } : input)),
      };
      expect(with32).not.toEqual(request);
      const answers = await Promise.all(
        [request, with32].map((each) =>
          infer(
            'lstm_forward',
            encode(each, () => way),
          ),
        ),
      );
      expect(answers[1]).toEqual(answers[0]);
    },
  );
});
