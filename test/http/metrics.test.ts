import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { writeSafetensors } from '../../src/codec/safetensors/write.js';
import { loadConfig } from '../../src/config.js';
import { buildApp } from '../../src/http/app.js';
import { problemKinds } from '../../src/http/problems.js';
import { tensor } from '../../src/tensor/tensor.js';
import { metricsOf, samplesOf, valueOf, type Sample } from '../support/prometheus.js';
import { expectProblem } from '../support/problem.js';
import { good, layerNames } from '../support/requests.js';
import { exchange } from '../support/raw.js';
import { call, serve, type Service } from '../support/service.js';
import { until } from '../support/until.js';

const DURATION = 'http_server_request_duration_seconds_count';

describe('the metrics', () => {
  it('are in the Prometheus text format, with help and type for each', async () => {
    const service = await serve();
    await call(service, 'linear', good.linear.forward);
    const { text, headers } = await service.client.get('/metrics').expect(200);
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(text.endsWith('\n')).toBe(true);
    const names = new Set(
      samplesOf(text).map(({ name }) => {
        const family = name.replace(/_(bucket|sum|count)$/, '');
        return text.includes(`# TYPE ${family} histogram`) ? family : name;
      }),
    );
    expect(names).toContain('http_server_request_duration_seconds');
    expect(names).toContain('process_cpu_seconds_total');
    expect(names).toContain('nodejs_eventloop_lag_p99_seconds');
    for (const name of names) {
      expect(text).toMatch(new RegExp(`^# HELP ${name} .`, 'm'));
      expect(text).toMatch(new RegExp(`^# TYPE ${name} (counter|gauge|histogram|summary)$`, 'm'));
    }
  });

  it('contain no token, and no path, header or method chosen by a client', async () => {
    const service = await serve();
    const { session } = await call(service, 'linear', good.linear.forward);
    for (const path of [`/sessions/${session}`, `/sessions/${session}?values=true`, `/${session}`, '/made-up'])
      await service.client.get(path).set('authorization', 'Bearer made-up');
    await service.client.get(`/sessions/${session}/made-up`);
    await exchange(service.port, 'PROPFIND /made-up HTTP/1.1\r\nHost: layerd\r\nConnection: close\r\n\r\n');
    await service.client.delete(`/sessions/${session}`);
    const { text } = await service.client.get('/metrics').expect(200);
    expect(text).not.toContain(session);
    expect(text).not.toContain('made-up');
    expect(text).not.toContain('PROPFIND');
    expect(text).toContain('http_route="/sessions/:token"');
    expect(valueOf(samplesOf(text), DURATION, { http_request_method: '_OTHER' })).toBe(1);
  });

  it('have no more series after a hundred routes, tokens and keys than after one', async () => {
    const service = await serve();
    const odd = async (i: number) => {
      await service.client.get(`/route-${i}`);
      await service.client.get(`/sessions/token-${i}`);
      await service.client.post(`/linear/${i}`).send({ [i]: i });
      await service.client.post('/linear').send({ [i]: 'x'.repeat(i) });
    };
    // Only series that requests create; those of garbage collection and handles appear over time.
    const series = async () =>
      (await metricsOf(service)).filter(
        ({ name, labels }) => /^(http|layerd)_/.test(name) && labels.http_route !== '/metrics',
      ).length;
    await odd(0);
    const before = await series();
    for (let i = 1; i < 100; i++) await odd(i);
    expect(await series()).toBe(before);
  });
});

/** The metrics once all requests are counted; a request is counted after its answer is read. */
async function counted(service: Service, requests: number): Promise<Sample[]> {
  return until(async () => {
    const samples = await metricsOf(service);
    const others = samples.filter(({ name, labels }) => name === DURATION && labels.http_route !== '/metrics');
    expect(others.reduce((sum, { value }) => sum + value, 0)).toBe(requests);
    return samples;
  });
}

describe('of HTTP', () => {
  it("count requests by method, route and status, with OpenTelemetry's names", async () => {
    const service = await serve();
    for (let i = 0; i < 3; i++) await call(service, 'linear/forward', good.linear.forward);
    await service.client.post('/linear').send({}).expect(400);
    await service.client.get('/nothing').expect(404);
    const samples = await counted(service, 5);
    const labelsOf = (status: string) =>
      samples.find(({ name, labels }) => name === DURATION && labels.http_response_status_code === status)?.labels;
    expect(valueOf(samples, DURATION, { http_route: '/linear/forward' })).toBe(3);
    expect(labelsOf('400')).toEqual({
      http_request_method: 'POST',
      http_route: '/linear',
      http_response_status_code: '400',
      url_scheme: 'http',
    });
    // The route is unknown, so there is no label for it.
    expect(labelsOf('404')).toEqual({
      http_request_method: 'GET',
      http_response_status_code: '404',
      url_scheme: 'http',
    });
    // The request for the metrics itself.
    expect(valueOf(samples, 'http_server_active_requests')).toBe(1);
  });

  it('count the bytes of the bodies in and out', async () => {
    const service = await serve();
    const body = JSON.stringify({ ...good.linear.forward, session: false });
    const { text } = await service.client.post('/linear').set('content-type', 'application/json').send(body);
    const samples = await counted(service, 1);
    const labels = { http_route: '/linear' };
    expect(valueOf(samples, 'http_server_request_body_size_bytes_sum', labels)).toBe(body.length);
    expect(valueOf(samples, 'http_server_response_body_size_bytes_sum', labels)).toBe(text.length);
  });

  it('count the received bytes of a chunked body, and none of a declared body that was not sent', async () => {
    const service = await serve({ BODY_LIMIT_BYTES: '1000' });
    const body = JSON.stringify({ ...good.linear.forward, session: false });
    const head = 'POST /linear HTTP/1.1\r\nHost: layerd\r\nContent-Type: application/json\r\nConnection: close\r\n';
    await exchange(
      service.port,
      `${head}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    );
    const samples = await counted(service, 1);
    expect(valueOf(samples, 'http_server_request_body_size_bytes_sum', { http_route: '/linear' })).toBe(body.length);

    const socket = connect(service.port, '127.0.0.1');
    socket.end(`${head}Content-Length: 1000000000000\r\n\r\n`);
    socket.on('error', () => undefined).resume();
    const later = await counted(service, 2);
    expect(valueOf(later, 'http_server_request_body_size_bytes_sum', { http_route: '/linear' })).toBe(body.length);
  });

  it('count failures and aborted requests as errors, but not client errors', async () => {
    const service = await serve({ SESSION_BUDGET_BYTES: '1500' }, (app) => {
      app.get('/failure', () => {
        throw new Error('broken');
      });
      app.get('/never', () => new Promise(() => undefined));
    });
    await service.client.get('/failure').expect(500);
    await call(service, 'linear', good.linear.forward);
    await service.client.post('/linear').send(good.linear.forward).expect(503);
    await service.client.post('/linear').send({}).expect(400);
    const socket = connect(service.port, '127.0.0.1');
    socket.write('GET /never HTTP/1.1\r\nHost: layerd\r\n\r\n');
    await until(async () => {
      expect(valueOf(await metricsOf(service), 'http_server_active_requests')).toBe(2);
    });
    socket.destroy();
    const samples = await counted(service, 5);
    const errors = samples.filter(({ name, labels }) => name === DURATION && 'error_type' in labels);
    expect(errors.map(({ labels }) => [labels.error_type, labels.http_response_status_code]).sort()).toEqual([
      ['aborted', undefined],
      ['internal-error', '500'],
      ['session-store-full', '503'],
    ]);
    expect(valueOf(samples, 'http_server_active_requests')).toBe(1);
  });

  it('count problems by type, and list every type from the start', async () => {
    const service = await serve();
    const at = async (problem: string) => valueOf(await metricsOf(service), 'layerd_problems_total', { problem });
    for (const name of Object.keys(problemKinds)) expect(await at(name), name).toBe(0);
    await service.client
      .post('/linear')
      .send({ x: [[1], [2, 3]], weight: [[1]] })
      .expect(400);
    await service.client.get('/%zz').expect(400);
    await counted(service, 2);
    expect(await at('ragged-tensor')).toBe(1);
    expect(await at('malformed-request')).toBe(1);
  });
});

describe('of layers', () => {
  const of = (samples: readonly Sample[], layer: string, direction: string, dtype: string) =>
    ['calls', 'operations', 'numbers_in', 'numbers_out'].map((what) =>
      valueOf(samples, `layerd_${what}_total`, { layer, direction, dtype }),
    );

  it('exist for every layer, direction and dtype from the start', async () => {
    const samples = await metricsOf(await serve());
    for (const layer of layerNames)
      for (const direction of ['forward', 'backward'])
        for (const dtype of ['float64', 'float32'])
          expect(of(samples, layer, direction, dtype), layer).toEqual([0, 0, 0, 0]);
  });

  it('count calls, operations, and the numbers in and out', async () => {
    const service = await serve();
    // x [2, 3], weight [2, 3] and bias [2] give out [2, 2]; each element takes 3 products and 3 sums, including the
    // bias.
    const { session } = await call(service, 'linear', good.linear.forward);
    await call(service, 'linear', { ...good.linear.forward, session: false });
    await call(service, 'linear', { ...good.linear.forward, dtype: 'float32', session: false });
    const { text } = await service.client.get('/layers/linear').expect(200);
    expect(text).toContain('linear');
    let samples = await counted(service, 4);
    const operations = of(samples, 'linear', 'forward', 'float32')[1] ?? NaN;
    expect(operations).toBeGreaterThanOrEqual(2 * 2 * 3 * 2);
    expect(operations).toBeLessThanOrEqual(2 * 2 * 3 * 2 + 2 * 2);
    expect(of(samples, 'linear', 'forward', 'float32')).toEqual([1, operations, 14, 4]);
    expect(of(samples, 'linear', 'forward', 'float64')).toEqual([2, 2 * operations, 28, 8]);

    // dout [2, 2] gives dx [2, 3], dweight [2, 3] and dbias [2].
    await call(service, 'linear/backward', { session, ...good.linear.backward });
    samples = await counted(service, 5);
    const [, backward = NaN] = of(samples, 'linear', 'backward', 'float64');
    expect(backward).toBeGreaterThan(operations);
    expect(of(samples, 'linear', 'backward', 'float64')).toEqual([1, backward, 4, 14]);

    // Without a session, backward computes both directions, and receives all tensors in one body.
    await call(service, 'linear/backward', { forward: good.linear.forward, ...good.linear.backward });
    samples = await counted(service, 6);
    expect(of(samples, 'linear', 'backward', 'float64')).toEqual([2, 2 * backward + operations, 4 + 18, 28]);
  });

  it('count safetensors like JSON', async () => {
    const service = await serve();
    const body = Buffer.concat(writeSafetensors({ x: tensor([2, 3], new Float32Array(6)), session: false }));
    const response = await fetch(`${service.url}/dropout`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.safetensors' },
      body,
    });
    expect(response.status).toBe(200);
    const samples = await counted(service, 1);
    const [calls, , numbersIn, numbersOut] = of(samples, 'dropout', 'forward', 'float32');
    // out and mask.
    expect([calls, numbersIn, numbersOut]).toEqual([1, 6, 12]);
    const bytes = (of: string) => valueOf(samples, `http_server_${of}_body_size_bytes_sum`, { http_route: '/dropout' });
    expect(bytes('request')).toBe(body.length);
    expect(bytes('response')).toBe((await response.arrayBuffer()).byteLength);
  });

  it('do not count refused calls', async () => {
    const service = await serve();
    await service.client
      .post('/linear')
      .send({ ...good.linear.forward, bias: [1] })
      .expect(422);
    expect(of(await counted(service, 1), 'linear', 'forward', 'float64')).toEqual([0, 0, 0, 0]);
  });

  it('report how long calls read, compute and write, which is less than the whole request', async () => {
    const service = await serve();
    const x = Array.from({ length: 200 }, (_, i) => Array.from({ length: 200 }, (_, j) => i / (j + 1)));
    await call(service, 'batchnorm', { x, session: false });
    const samples = await counted(service, 1);
    const phases = ['read', 'compute', 'write'].map(
      (phase) =>
        valueOf(samples, 'layerd_call_seconds_total', { layer: 'batchnorm', direction: 'forward', phase }) ?? 0,
    );
    for (const seconds of phases) expect(seconds).toBeGreaterThan(0);
    const whole = valueOf(samples, 'http_server_request_duration_seconds_sum', { http_route: '/batchnorm' }) ?? 0;
    expect(phases.reduce((sum, seconds) => sum + seconds)).toBeLessThan(whole);
  });
});

describe('of sessions', () => {
  it('report how many are held, their bytes, and the budget', async () => {
    const service = await serve({ SESSION_TTL_SECONDS: '60', SESSION_BUDGET_BYTES: '100000' });
    const held = async () => {
      const samples = await metricsOf(service);
      return ['layerd_sessions', 'layerd_sessions_bytes'].map((name) => valueOf(samples, name));
    };
    expect(await held()).toEqual([0, 0]);
    expect(valueOf(await metricsOf(service), 'layerd_sessions_budget_bytes')).toBe(100000);
    const { session } = await call(service, 'linear', good.linear.forward);
    const { body } = (await service.client.get(`/sessions/${session}`).expect(200)) as { body: { bytes: number } };
    expect(await held()).toEqual([1, body.bytes]);
    await call(service, 'linear', good.linear.forward);
    expect(await held()).toEqual([2, 2 * body.bytes]);
    await service.client.delete(`/sessions/${session}`).expect(204);
    expect(await held()).toEqual([1, body.bytes]);
    service.clock.advance(60);
    expect(await held()).toEqual([0, 0]);
  });

  it('count sessions created, expired and refused', async () => {
    const service = await serve({ SESSION_TTL_SECONDS: '60', SESSION_BUDGET_BYTES: '2500' });
    const figures = async () => {
      const samples = await metricsOf(service);
      return {
        made: valueOf(samples, 'layerd_sessions_created_total'),
        expired: valueOf(samples, 'layerd_sessions_expired_total'),
        full: valueOf(samples, 'layerd_sessions_refused_total', { reason: 'session-store-full' }),
        large: valueOf(samples, 'layerd_sessions_refused_total', { reason: 'session-too-large' }),
      };
    };
    expect(await figures()).toEqual({ made: 0, expired: 0, full: 0, large: 0 });
    const { session } = await call(service, 'linear', good.linear.forward);
    await call(service, 'linear', good.linear.forward);
    await service.client.post('/linear').send(good.linear.forward).expect(503);
    await service.client
      .post('/linear')
      .send({ ...good.linear.forward, x: Array.from({ length: 200 }, () => [1, 2, 3]) })
      .expect(413);
    await call(service, 'linear', { ...good.linear.forward, session: false });
    expect(await figures()).toEqual({ made: 2, expired: 0, full: 1, large: 1 });
    await service.client.delete(`/sessions/${session}`).expect(204);
    service.clock.advance(60);
    // Deleted sessions do not count as expired.
    expect(await figures()).toEqual({ made: 2, expired: 1, full: 1, large: 1 });
  });
});

describe('of processes and threads', () => {
  it('are refused if a process does not report in time, because a part could be mistaken for the whole', async () => {
    const app = await buildApp({
      config: loadConfig({ WORKERS: '0' }),
      gather: () => () => Promise.resolve(undefined),
    });
    onTestFinished(() => app.close());
    const response = await app.inject('/metrics');
    expect(response.headers['retry-after']).toBe('1');
    expectProblem(
      { status: response.statusCode, headers: response.headers, body: response.json() },
      {
        status: 503,
        type: 'metrics-unavailable',
        says: 'not all processes reported their metrics in time; expected a report from each',
      },
    );
  });

  it('report how many exist', async () => {
    const samples = await metricsOf(await serve());
    // processes.test.ts covers busy threads and several processes.
    expect(valueOf(samples, 'layerd_worker_calls_queued')).toBe(0);
    expect(valueOf(samples, 'layerd_worker_threads_busy')).toBe(0);
    expect(valueOf(samples, 'layerd_worker_threads')).toBe(0);
    expect(valueOf(samples, 'layerd_processes')).toBe(1);
    expect(valueOf(samples, 'layerd_process_restarts_total')).toBe(0);
    expect(valueOf(samples, 'process_start_time_seconds')).toBeGreaterThan(0);
  });
});
