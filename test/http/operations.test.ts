import { describe, expect, it } from 'vitest';
import { good } from '../support/requests.js';
import { call, serve, serveAll } from '../support/service.js';

describe('the probes', () => {
  const service = serveAll();

  it.each([
    ['/health/live', 'live'],
    ['/health/ready', 'ready'],
  ])('answer 200: %s', async (path, status) => {
    const { client } = service();
    expect((await client.get(path).expect(200)).body).toEqual({ status });
    await client.head(path).expect(200);
    // Whatever a prober accepts.
    await client.get(path).set('accept', 'text/html').expect(200);
  });
});

/** A sample's line of the text format of Prometheus, whose numbers are read as Go reads them, "Nan" too. */
const SAMPLE = /^([a-z_]\w*)(?:\{((?:\w+="[^"\\]*",?)+)\})? (-?[\d.]+(?:e[+-]?\d+)?|Nan|[+-]Inf)$/;

interface Sample {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
}

function samplesOf(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const match = SAMPLE.exec(line);
      if (!match) throw new Error(`not a sample: ${line}`);
      const [, name = '', labels = '', value] = match;
      return { name, labels, value: Number(value) };
    });
}

describe('the metrics', () => {
  it('are text that Prometheus reads, with help and type for each', async () => {
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
    for (const name of names) {
      expect(text).toContain(`# HELP ${name} `);
      expect(text).toMatch(new RegExp(`^# TYPE ${name} (counter|gauge|histogram|summary)$`, 'm'));
    }
  });

  it('count requests by method, route and status', async () => {
    const service = await serve();
    for (let i = 0; i < 3; i++) await call(service, 'linear/forward', good.linear.forward);
    await service.client.post('/linear').send({}).expect(400);
    await service.client.get('/nothing').expect(404);
    const samples = samplesOf((await service.client.get('/metrics').expect(200)).text);
    const count = (method: string, route: string, status: number) =>
      samples.find(
        ({ name, labels }) =>
          name === 'http_server_request_duration_seconds_count' &&
          labels === `http_request_method="${method}",http_route="${route}",http_response_status_code="${status}"`,
      )?.value;
    expect(count('POST', '/linear/forward', 200)).toBe(3);
    expect(count('POST', '/linear', 400)).toBe(1);
    expect(count('GET', 'unknown', 404)).toBe(1);
  });

  it('tell how many sessions are held, and their bytes', async () => {
    const service = await serve({ SESSION_TTL_SECONDS: '60' });
    const held = async () => {
      const samples = samplesOf((await service.client.get('/metrics').expect(200)).text);
      return ['layerd_sessions', 'layerd_sessions_bytes'].map(
        (wanted) => samples.find(({ name }) => name === wanted)?.value,
      );
    };
    expect(await held()).toEqual([0, 0]);
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

  it('tell what the worker threads do', async () => {
    const service = await serve();
    const { text } = await service.client.get('/metrics').expect(200);
    // Without threads; with them, and busy: processes.test.ts.
    expect(text).toMatch(/^layerd_worker_calls_queued 0$/m);
    expect(text).toMatch(/^layerd_worker_threads_busy 0$/m);
  });

  it('have no token in them', async () => {
    const service = await serve();
    const { session } = await call(service, 'linear', good.linear.forward);
    for (const path of [
      `/sessions/${session}`,
      `/sessions/${session}?values=true`,
      `/sessions/${session}/x`,
      `/${session}`,
    ])
      await service.client.get(path);
    await service.client.delete(`/sessions/${session}`);
    const { text } = await service.client.get('/metrics').expect(200);
    expect(text).not.toContain(session);
    expect(text).toContain('http_route="/sessions/:token"');
  });
});
