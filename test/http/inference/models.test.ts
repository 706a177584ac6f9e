/** What the models of the Open Inference Protocol tell of themselves, and that they give what the other routes give. */
import { describe, expect, it } from 'vitest';
import type { FloatDtype } from '../../../src/tensor/tensor.js';
import {
  encode,
  inferenceOf,
  inferring,
  inJson,
  type Inference,
  type InferenceAnswer,
  type Sent,
  type Way,
} from '../../support/inference.js';
import { good, layerNames, schemasOf, type Body } from '../../support/requests.js';
import { call, serveAll } from '../../support/service.js';

const service = serveAll();
const { send, infer } = inferring(service);

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
