/**
 * Triton's statistics extension. The fields and what they count are those of its documentation and of
 * `TRITONSERVER_ServerModelStatistics` in triton-inference-server/core, for a model without a cache and with
 * `max_batch_size` 0, which to Triton is batch size 1.
 */
import { Ajv } from 'ajv';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ModelStatistics } from '../../../schemas/inference.js';
import { now } from '../../../src/calls/account.js';
import { loadConfig } from '../../../src/config.js';
import { buildApp } from '../../../src/http/app.js';
import { inferenceOf, inferring, inJson } from '../../support/inference.js';
import { compiled, startProcess } from '../../support/process.js';
import { metricsOf, valueOf } from '../../support/prometheus.js';
import { good, layerNames } from '../../support/requests.js';
import { call, serve } from '../../support/service.js';
import { until } from '../../support/until.js';

interface Durations {
  readonly count: number;
  readonly ns: number;
}

interface Statistics {
  readonly name: string;
  readonly last_inference: number;
  readonly inference_count: number;
  readonly inference_stats: Readonly<Record<string, Durations>>;
  readonly batch_stats: readonly object[];
}

const isStatistics = new Ajv({ strict: false }).compile(ModelStatistics);

/** Each on a new connection, so that any process may answer. */
async function statistics(url: string, path = ''): Promise<Statistics[]> {
  const response = await fetch(`${url}/v2/models${path}/stats`, { headers: { connection: 'close' } });
  expect(response.status).toBe(200);
  const body = (await response.json()) as { model_stats: Statistics[] };
  expect(isStatistics(body), JSON.stringify(isStatistics.errors)).toBe(true);
  return body.model_stats;
}

/** The statistics of a model, once this many calls are counted; a call is counted after its answer is read. */
function counted(url: string, model: string, success: number, fail: number): Promise<Statistics> {
  return until(async () => {
    const [entry] = await statistics(url, `/${model}`);
    const { inference_stats: stats } = entry;
    expect([entry.name, stats.success.count, stats.fail.count]).toEqual([model, success, fail]);
    return entry;
  });
}

describe('the statistics', () => {
  const none = { count: 0, ns: 0 };
  const untouched = (name: string) => ({
    name,
    version: '1',
    last_inference: 0,
    inference_count: 0,
    execution_count: 0,
    inference_stats: {
      ...{ success: none, fail: none, queue: none, compute_input: none, compute_infer: none, compute_output: none },
      ...{ cache_hit: none, cache_miss: none },
    },
    response_stats: {},
    batch_stats: [],
    memory_usage: [],
  });
  const names = layerNames.flatMap((layer) => [`${layer}_forward`, `${layer}_backward`]);

  it('cover all models, one model, or its version, and start at 0', async () => {
    const { url } = await serve();
    expect(await statistics(url)).toEqual(names.map(untouched));
    expect(await statistics(url, '/lstm_backward')).toEqual([untouched('lstm_backward')]);
    expect(await statistics(url, '/lstm_backward/versions/1')).toEqual([untouched('lstm_backward')]);
  });

  it('count calls on every route and in every dtype, with the same times as the metrics', async () => {
    const service = await serve();
    const { url, client } = service;
    const { infer, send } = inferring(() => service);
    const { forward, backward } = good.linear;
    const from = Math.floor(now());
    for (const dtype of ['float64', 'float32'] as const)
      await infer('linear_forward', inJson(inferenceOf('linear', { ...forward, session: false }, dtype)));
    const { session } = await call(service, 'linear', forward);
    await call(service, 'linear/backward', { session, ...backward });
    const to = now();
    // Refusals by the layer, by the codec, and before there is a call; and a check, which is not counted.
    const misfit = inferenceOf('linear', { ...forward, bias: [1] }, 'float64');
    expect((await send('linear_forward/infer', inJson(misfit))).status).toBe(422);
    await client.post('/linear').send('{').set('content-type', 'application/json').expect(400);
    await client.post('/linear').send('{}').set('content-type', 'text/plain').expect(415);
    await client.post('/linear/check').send({}).expect(400);

    const entry = await counted(url, 'linear_forward', 3, 2);
    expect(entry.last_inference).toBeGreaterThanOrEqual(from);
    expect(entry.last_inference).toBeLessThanOrEqual(to);
    const { success, fail, queue, compute_input, compute_infer, compute_output, ...cache } = entry.inference_stats;
    const parts = { compute_input, compute_infer, compute_output };
    expect(entry).toMatchObject({
      ...{ inference_count: 3, execution_count: 3, response_stats: {}, memory_usage: [] },
      batch_stats: [{ batch_size: 1, ...parts }],
    });
    expect(cache).toEqual({ cache_hit: none, cache_miss: none });
    for (const part of Object.values(parts)) {
      expect(part.count).toBe(3);
      expect(part.ns).toBeGreaterThan(0);
    }
    expect(fail.ns).toBeGreaterThan(0);
    expect(queue.count).toBe(3);
    expect(success.ns).toBe([queue, ...Object.values(parts)].reduce((sum, { ns }) => sum + ns, 0));

    const samples = await metricsOf(service);
    const seconds = (name: string, labels = {}) =>
      valueOf(samples, `layerd_${name}`, { layer: 'linear', direction: 'forward', ...labels }) ?? NaN;
    for (const [phase, { ns }] of Object.entries({
      ...{ queue, read: compute_input, compute: compute_infer, write: compute_output },
    }))
      expect(ns, phase).toBe(Math.round(seconds('call_seconds_total', { phase }) * 1e9));
    expect(fail.ns).toBe(Math.round(seconds('failed_call_seconds_total') * 1e9));
    expect(seconds('failed_calls_total')).toBe(2);
    expect(entry.last_inference).toBe(Math.floor(seconds('last_call_timestamp_seconds') * 1000));

    expect(await counted(url, 'linear_backward', 1, 0)).toMatchObject({ inference_count: 1 });
    // No calls of any other layer are counted.
    const called = ['linear_forward', 'linear_backward'];
    expect((await statistics(url)).filter(({ name }) => !called.includes(name))).toEqual(
      names.filter((name) => !called.includes(name)).map(untouched),
    );
  });

  it('are refused for an unknown model or version', async () => {
    const { client } = await serve();
    const refused = await client.get('/v2/models/linear/stats').expect(404);
    expect(refused.body).toEqual({ error: `there is no model "linear"; expected one of ${names.join(', ')}` });
    await client.get('/v2/models/linear_forward/versions/2/stats').expect(404);
  });

  it('are refused if a process does not report in time, like the metrics', async () => {
    const app = await buildApp({
      config: loadConfig({ WORKERS: '0' }),
      gather: () => () => Promise.resolve(undefined),
    });
    onTestFinished(() => app.close());
    for (const path of ['stats', 'linear_forward/stats', 'linear_forward/versions/1/stats']) {
      const { statusCode, headers, body } = await app.inject(`/v2/models/${path}`);
      expect([statusCode, headers['retry-after']]).toEqual([503, '1']);
      const error = 'not all processes reported their metrics in time; expected a report from each';
      expect(JSON.parse(body)).toEqual({ error });
    }
  });
});

const entry = compiled();
it('the statistics cover all processes and their threads, and survive the death of a process', async () => {
  const service = await startProcess(entry(), { PROCESSES: '2', WORKERS: '1' });
  const url = `http://127.0.0.1:${service.port}`;
  const pids = () => {
    const lines = service.log().filter(({ msg }) => String(msg).startsWith('Server listening'));
    return [...new Set(lines.map(({ pid }) => pid as number))];
  };
  const listened = (count: number) =>
    until(() => {
      expect(pids()).toHaveLength(count);
    });
  await listened(2);
  const { send } = inferring(() => ({ url }));
  // The last one is too large for the event loop, so it runs on a thread.
  const large = { x: [Array<number>(300_000).fill(0.5)], weight: [Array<number>(300_000).fill(0.5)] };
  for (const request of [...Array<object>(7).fill({ x: [[1]], weight: [[1]] }), large])
    for (const weight of [undefined, [[1, 2, 3]]]) {
      const fields = { ...request, ...(weight ? { weight } : {}), session: false };
      const sent = inJson(inferenceOf('linear', fields, 'float64'));
      const { status } = await send('linear_forward/infer', sent, { connection: 'close' });
      expect(status).toBe(weight ? 422 : 200);
    }
  const whole = await counted(url, 'linear_forward', 8, 8);
  for (let i = 0; i < 4; i++) expect(await statistics(url, '/linear_forward')).toEqual([whole]);
  const { queue, ...stats } = whole.inference_stats;
  for (const name of ['success', 'fail', 'compute_input', 'compute_infer', 'compute_output'])
    expect(stats[name].ns, name).toBeGreaterThan(0);
  expect(queue.count).toBe(8);
  // Both are read, so that the process that answered last is covered.
  for (const [i, pid] of pids().entries()) {
    process.kill(pid, 'SIGKILL');
    await listened(3 + i);
    await until(async () => {
      expect(await statistics(url, '/linear_forward')).toEqual([whole]);
    });
  }
});
