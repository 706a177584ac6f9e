import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadTracing } from '../../../src/config.js';
import { compiled, runToEnd, startProcess } from '../../support/process.js';
import { good } from '../../support/requests.js';
import { until } from '../../support/until.js';

const entry = compiled();

interface Value {
  readonly stringValue?: string;
  readonly intValue?: number | string;
  readonly arrayValue?: { readonly values: readonly Value[] };
}
interface Attribute {
  readonly key: string;
  readonly value: Value;
}
interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly events: readonly unknown[];
  readonly status: { readonly code: number; readonly message?: string };
}
interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

const SERVER = 2;
const ERROR = 2;

/** A collector that keeps everything it receives over OTLP/HTTP. */
async function collect() {
  const bodies: { path: string | undefined; type: string | undefined; body: Buffer }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      bodies.push({ path: request.url, type: request.headers['content-type'], body: Buffer.concat(chunks) });
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const exports = () => bodies.map(({ body }) => JSON.parse(body.toString()) as Export);
  const spans = () =>
    exports().flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
    );
  return {
    bodies,
    exports,
    spans,
    /** Resolves once there are this many. */
    spansAt: (count: number) =>
      until(() => {
        expect(spans()).toHaveLength(count);
        return spans();
      }),
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '50',
    },
  };
}

function attributesOf({ attributes }: { attributes: readonly Attribute[] }): Record<string, unknown> {
  const plain = ({ stringValue, intValue, arrayValue }: Value): unknown =>
    arrayValue ? arrayValue.values.map(plain) : (stringValue ?? Number(intValue));
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]));
}

function post(port: number, path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

describe('traces', () => {
  it('have a span per request, under the client’s, with child spans for reading, computing and writing', async () => {
    const collector = await collect();
    const service = await startProcess(entry(), { ...collector.environment, OTEL_RESOURCE_ATTRIBUTES: 'zone=here' });
    const [traceId, parent] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
    const headers = { traceparent: `00-${traceId}-${parent}-01`, 'x-request-id': 'traced' };
    await post(service.port, 'linear/forward', { ...good.linear.forward, session: false }, headers);
    const spans = await collector.spansAt(4);
    const root = spans.find(({ kind }) => kind === SERVER);
    if (!root) throw new Error('there is no span of the server');
    expect(root).toMatchObject({ traceId, parentSpanId: parent, name: 'POST /linear/forward', status: { code: 0 } });
    expect(attributesOf(root)).toMatchObject({
      'http.request.method': 'POST',
      'http.route': '/linear/forward',
      'url.path': '/linear/forward',
      'url.scheme': 'http',
      'http.response.status_code': 200,
      'http.response.header.x-request-id': ['traced'],
    });
    const children = spans.filter((span) => span !== root);
    expect(children.map(({ name }) => name)).toEqual(['read', 'compute', 'write']);
    let last = BigInt(root.startTimeUnixNano);
    for (const child of children) {
      expect(child).toMatchObject({ traceId, parentSpanId: root.spanId });
      expect(BigInt(child.startTimeUnixNano)).toBeGreaterThanOrEqual(last);
      last = BigInt(child.endTimeUnixNano);
      expect(attributesOf(child)).toMatchObject({
        'layerd.layer': 'linear',
        'layerd.direction': 'forward',
        'layerd.dtype': 'float64',
      });
    }
    expect(attributesOf(children[0])).toMatchObject({ 'layerd.numbers': 14 });
    expect(attributesOf(children[2])).toMatchObject({ 'layerd.numbers': 4 });
    const [{ resourceSpans }] = collector.exports();
    expect(attributesOf(resourceSpans[0].resource)).toMatchObject({ 'service.name': 'layerd', zone: 'here' });
    // The log has the trace id.
    await until(() => {
      expect(service.log().find(({ msg }) => msg === 'request')).toMatchObject({ reqId: 'traced', traceId });
    });
  });

  it('contain nothing that clients sent, and mark only failures of the service as errors', async () => {
    const collector = await collect();
    const service = await startProcess(entry(), { ...collector.environment, SESSION_BUDGET_BYTES: '10' });
    const secret = 'made-up-token';
    const url = (path: string) => `http://127.0.0.1:${service.port}${path}`;
    await fetch(url(`/sessions/${secret}?values=${secret}`));
    await fetch(url(`/${secret}`), { headers: { authorization: `Bearer ${secret}` } });
    await fetch(url(`/linear/${secret}`), { method: 'DELETE' });
    await post(service.port, 'linear', { [secret]: secret });
    await post(service.port, 'linear', { ...good.linear.forward, dtype: secret });
    await fetch(url('/linear'));
    service.kill('SIGTERM');
    await service.exited;
    const names = collector.spans().map(({ name }) => name);
    expect(names).toContain('GET /sessions/:token');
    expect(names).toContain('POST /linear');
    // This span has no route.
    expect(names).toContain('GET');
    for (const span of collector.spans()) expect(span).toMatchObject({ status: { code: 0 }, events: [] });
    expect(Buffer.concat(collector.bodies.map(({ body }) => body)).toString()).not.toContain(secret);
  });

  it('mark failures of the service', async () => {
    const collector = await collect();
    const service = await startProcess(entry(), { ...collector.environment, SESSION_BUDGET_BYTES: '2000' });
    expect((await post(service.port, 'linear', good.linear.forward)).status).toBe(200);
    expect((await post(service.port, 'linear', good.linear.forward)).status).toBe(503);
    const spans = (await collector.spansAt(5)).filter(({ kind }) => kind === SERVER);
    const statuses = spans.map((span) => [attributesOf(span)['http.response.status_code'], span.status.code]);
    expect(statuses).toEqual([
      [200, 0],
      [503, ERROR],
    ]);
  });

  it('have spans for the work of a worker thread and for an answer in pieces', async () => {
    const collector = await collect();
    const service = await startProcess(entry(), { ...collector.environment, WORKERS: '1' });
    const x = Array.from({ length: 200 }, (_, i) => Array.from({ length: 100 }, (_, j) => Math.sin(i * 100 + j)));
    const accept = { accept: 'application/vnd.safetensors' };
    expect((await post(service.port, 'batchnorm', { x, session: false }, accept)).status).toBe(200);
    const spans = await collector.spansAt(4);
    const root = spans.find(({ kind }) => kind === SERVER);
    const inside = spans.filter((span) => span !== root);
    for (const span of inside) {
      expect(BigInt(span.startTimeUnixNano)).toBeGreaterThan(BigInt(root?.startTimeUnixNano ?? 0));
      expect(BigInt(span.endTimeUnixNano)).toBeLessThan(BigInt(root?.endTimeUnixNano ?? 0));
    }
  });

  it('do not include probes, /metrics or requests that the sampler drops', async () => {
    const collector = await collect();
    const traced = await startProcess(entry(), collector.environment);
    for (const path of ['health/live', 'health/ready', 'v2/health/live', 'v2/health/ready', 'metrics'])
      await fetch(`http://127.0.0.1:${traced.port}/${path}`);
    const sampled = await startProcess(entry(), { ...collector.environment, OTEL_TRACES_SAMPLER: 'always_off' });
    await post(sampled.port, 'linear', { ...good.linear.forward, session: false });
    for (const service of [traced, sampled]) {
      service.kill('SIGTERM');
      expect(await service.exited).toMatchObject({ code: 0 });
    }
    expect(collector.bodies).toEqual([]);
  });

  it('are sent by every process, as protobuf by default', async () => {
    const collector = await collect();
    const { OTEL_EXPORTER_OTLP_PROTOCOL: _, ...environment } = collector.environment;
    const service = await startProcess(entry(), { ...environment, OTEL_SERVICE_NAME: 'my-layers', PROCESSES: '2' });
    await post(service.port, 'linear', { ...good.linear.forward, session: false });
    service.kill('SIGTERM');
    await service.exited;
    const [{ path, type, body }] = collector.bodies;
    expect([path, type]).toEqual(['/v1/traces', 'application/x-protobuf']);
    expect(body.toString('latin1')).toContain('my-layers');
    expect(body.toString('latin1')).toContain('POST /linear');
  });

  it('delay neither answers nor the exit if there is no collector', async () => {
    const service = await startProcess(entry(), {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
      OTEL_BSP_SCHEDULE_DELAY: '50',
    });
    expect((await post(service.port, 'linear', { ...good.linear.forward, session: false })).status).toBe(200);
    service.kill('SIGTERM');
    // Status 1 would mean that the grace period had expired.
    expect(await service.exited).toMatchObject({ code: 0, signal: null });
    expect(service.log().filter(({ level }) => Number(level) > 40)).toEqual([]);
  });
});

describe('the variables of OpenTelemetry', () => {
  const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

  it.each([
    [{}],
    [{ OTEL_SERVICE_NAME: 'layers' }],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
    [{ OTEL_TRACES_EXPORTER: 'none', ...ENDPOINT }],
    [{ OTEL_SDK_DISABLED: 'true', OTEL_TRACES_EXPORTER: 'otlp' }],
  ])('do not enable traces: %o', (environment) => {
    expect(loadTracing(environment)).toBeUndefined();
  });

  it.each([
    [ENDPOINT, { exporter: 'otlp', protocol: 'http/protobuf' }],
    [{ OTEL_TRACES_EXPORTER: 'otlp' }, { exporter: 'otlp', protocol: 'http/protobuf' }],
    [{ OTEL_TRACES_EXPORTER: 'console' }, { exporter: 'console', protocol: 'http/protobuf' }],
    [
      {
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector:4318/v1/traces',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      },
      { exporter: 'otlp', protocol: 'http/json' },
    ],
    [
      {
        ...ENDPOINT,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
        OTEL_PROPAGATORS: 'tracecontext,baggage',
      },
      { exporter: 'otlp', protocol: 'http/json' },
    ],
  ] as const)('want traces: %o', (environment, expected) => {
    expect(loadTracing(environment)).toEqual(expected);
  });

  it('are refused at start, in one line, if they request something unsupported', async () => {
    const expected: [Record<string, string>, string][] = [
      [{ OTEL_TRACES_EXPORTER: 'zipkin' }, 'OTEL_TRACES_EXPORTER is "zipkin"; expected "otlp" or "console" or "none"'],
      [
        { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
        'OTEL_EXPORTER_OTLP_PROTOCOL is "grpc"; expected "http/protobuf" or "http/json"',
      ],
      [
        { ...ENDPOINT, OTEL_PROPAGATORS: 'b3' },
        'OTEL_PROPAGATORS is "b3"; expected "tracecontext" or "tracecontext,baggage" or "baggage,tracecontext"',
      ],
    ];
    for (const [environment, line] of expected) expect(() => loadTracing(environment)).toThrow(line);
    const [[environment, line]] = expected;
    expect(await runToEnd(entry(), environment)).toMatchObject({ code: 1, stdout: '', stderr: `layerd: ${line}\n` });
  });
});
