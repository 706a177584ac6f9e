import temml from 'temml';
import { describe, expect, it } from 'vitest';
import { ConfigSchema } from '../../src/config.js';
import { layerNames, schemasOf, type Body } from '../support/requests.js';
import { call, serve, serveAll } from '../support/service.js';

interface Entry {
  readonly layer: string;
  readonly summary: string;
  readonly reference: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly conventions: readonly string[];
  readonly sources: readonly string[];
  readonly forward: {
    readonly routes: readonly string[];
    readonly tensors: Readonly<
      Record<string, { shape: string; element: string; description: string; required: boolean }>
    >;
    readonly options: Readonly<
      Record<string, { description: string; expected: string; required: boolean; default?: unknown }>
    >;
    readonly answers: Readonly<Record<string, unknown>>;
    readonly formulas: readonly string[];
    readonly tex: readonly string[];
    readonly example: Body;
  };
  readonly backward: {
    readonly routes: readonly string[];
    readonly tensors: Readonly<Record<string, unknown>>;
    readonly answers: Readonly<Record<string, unknown>>;
    readonly formulas: readonly string[];
    readonly tex: readonly string[];
    readonly example: Body;
  };
}

const service = serveAll();

async function entryOf(name: string): Promise<Entry> {
  return (await service().client.get(`/layers/${name}`).expect(200)).body as Entry;
}

describe('GET /layers', () => {
  it('lists every layer, each as it is under its own path, and the limits', async () => {
    const { layers, limits } = (await service().client.get('/layers').expect(200)).body as {
      layers: Entry[];
      limits: unknown;
    };
    expect(layers.map(({ layer }) => layer)).toEqual(layerNames);
    for (const entry of layers) expect(await entryOf(entry.layer)).toEqual({ ...entry, limits });
  });

  it.each(layerNames)('lists the fields of every request of %s, with their defaults', async (name) => {
    const { body } = (await service().client.get(`/layers/${name}`).expect(200)) as { body: unknown };
    expect(body).toMatchObject({
      forward: { request: { dtype: { default: 'float64', required: false }, session: { default: true } } },
      backward: { request: { release: { default: false, required: false } } },
      check: {
        request: {
          rtol: { defaults: { float64: 1e-6, float32: 1e-4 }, required: false },
          atol: { defaults: { float64: 1e-9, float32: 1e-6 }, required: false },
        },
      },
    });
  });

  it('lists all limits in force that can be configured', async () => {
    const variables = {
      BODY_LIMIT_BYTES: ['body_bytes', 1001],
      NESTING_LIMIT: ['nesting', 1000],
      WORK_LIMIT_OPERATIONS: ['operations', 1002],
      WORK_LIMIT_RESULT_BYTES: ['result_bytes', 1003],
      SESSION_TTL_SECONDS: ['session_ttl_seconds', 1004],
      SESSION_BUDGET_BYTES: ['session_budget_bytes', 1005],
      BODIES_BUDGET_BYTES: ['bodies_budget_bytes', 2015],
      HEADER_LIMIT_BYTES: ['header_bytes', 2006],
      HEADERS_TIMEOUT_SECONDS: ['headers_timeout_seconds', 1007],
      REQUEST_TIMEOUT_SECONDS: ['request_timeout_seconds', 1008],
      KEEP_ALIVE_TIMEOUT_SECONDS: ['keep_alive_timeout_seconds', 1009],
      SEND_TIMEOUT_SECONDS: ['send_timeout_seconds', 1010],
      REQUESTS_IN_FLIGHT_LIMIT: ['requests_in_flight', 1011],
      EVENT_LOOP_DELAY_LIMIT_MS: ['event_loop_delay_ms', 60_012],
      HEAP_LIMIT_BYTES: ['heap_bytes', 2 ** 40 + 13],
      RATE_LIMIT_PER_MINUTE: ['requests_per_minute', 1014],
    } as const;
    const own = await serve(
      Object.fromEntries(Object.entries(variables).map(([variable, [, value]]) => [variable, String(value)])),
    );
    const limits = Object.fromEntries(Object.values(variables));
    const settable = Object.keys(ConfigSchema.properties).filter((name) => /LIMIT|TIMEOUT|TTL|BUDGET/.test(name));
    expect(Object.keys(variables).sort()).toEqual(settable.sort());
    for (const path of ['/layers', '/layers/rnn']) {
      const { body } = (await own.client.get(path).expect(200)) as { body: { limits: unknown } };
      expect(body.limits).toEqual(limits);
    }
  });
});

describe.each(layerNames)('GET /layers/%s', (name) => {
  it('lists all tensors, options, answers and gradients', async () => {
    const { inputs, options, outputs, upstream, gradients } = schemasOf(name);
    const entry = await entryOf(name);
    const names = (schema: { properties: object }) => Object.keys(schema.properties).sort();
    expect(Object.keys(entry.forward.tensors).sort()).toEqual(names(inputs));
    expect(Object.keys(entry.forward.options).sort()).toEqual(names(options));
    expect(Object.keys(entry.forward.answers).sort()).toEqual(names(outputs));
    expect(Object.keys(entry.backward.tensors).sort()).toEqual(names(upstream));
    expect(Object.keys(entry.backward.answers).sort()).toEqual(names(gradients));
    for (const { shape, element, description } of Object.values(entry.forward.tensors)) {
      expect(shape).toMatch(/^\[/);
      expect(['float', 'integer']).toContain(element);
      expect(description).toMatch(/\w/);
    }
    for (const { description, expected } of Object.values(entry.forward.options)) {
      expect(description).toMatch(/\w/);
      expect(expected).toMatch(/\w/);
    }
  });

  it('has formulas, conventions, sources and the meaning of its dimensions', async () => {
    const { summary, dimensions, conventions, sources, forward, backward } = await entryOf(name);
    expect(summary).toMatch(/^[A-Z].*\.$/);
    for (const text of [
      ...Object.values(dimensions),
      ...conventions,
      ...sources,
      ...forward.formulas,
      ...backward.formulas,
    ])
      expect(text).toMatch(/\w/);
    for (const list of [Object.keys(dimensions), conventions, sources, forward.formulas, backward.formulas])
      expect(list).not.toEqual([]);
    expect(forward.formulas.join()).toContain('=');
    for (const { formulas, tex } of [forward, backward]) {
      expect(tex).toHaveLength(formulas.length);
      for (const line of tex) expect(temml.renderToString(line, { throwOnError: true })).toContain('<math');
    }
  });

  it('links to its documentation page, which is also found without the trailing slash', async () => {
    const { reference } = await entryOf(name);
    const page = await service().client.get(reference).expect(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.text).toContain(`<title>${name} – layerd</title>`);
    expect(page.text).not.toMatch(/ style=|<style|<script/);
    const { headers } = await service().client.get(reference.replace(/\/$/, '')).expect(301);
    expect(new URL(headers.location, `${service().url}${reference.replace(/\/$/, '')}`).pathname).toBe(reference);
  });

  it('has examples that work unchanged on every route that it lists', async () => {
    const { forward, backward } = await entryOf(name);
    expect(forward.routes).toEqual([`POST /${name}/forward`, `POST /${name}`]);
    expect(backward.routes).toEqual([`POST /${name}/backward`]);
    for (const route of forward.routes) {
      const answer = await call(service(), route.replace('POST /', ''), forward.example);
      for (const field of Object.keys(answer).filter((key) => key !== 'session'))
        expect(Object.keys(forward.answers)).toContain(field);
    }
    for (const route of backward.routes) {
      const gradients = await call(service(), route.replace('POST /', ''), backward.example);
      for (const field of Object.keys(gradients)) expect(Object.keys(backward.answers)).toContain(field);
    }
  });

  it('has a backward example with the same result through a session', async () => {
    const { forward, backward } = await entryOf(name);
    const { session } = await call(service(), name, forward.example);
    const { forward: _, ...upstream } = backward.example;
    expect(await call(service(), `${name}/backward`, { session, ...upstream })).toEqual(
      await call(service(), `${name}/backward`, backward.example),
    );
  });

  it('states the defaults that the service uses', async () => {
    const { forward } = await entryOf(name);
    for (const [option, { default: value, required }] of Object.entries(forward.options)) {
      if (value === undefined) continue;
      expect(required).toBe(false);
      const { [option]: _, ...without }: Body = { ...forward.example, session: false };
      expect(await call(service(), name, { ...without, [option]: value }), option).toEqual(
        await call(service(), name, without),
      );
    }
  });

  it('requires exactly the fields that it lists as required', async () => {
    const { forward } = await entryOf(name);
    const fields = [...Object.entries(forward.tensors), ...Object.entries(forward.options)];
    for (const [field, { required }] of fields) {
      // For pooling, the schema cannot express "required unless global"; only the description does.
      if (field === 'kernel_size') continue;
      const { [field]: _, ...without } = forward.example;
      await service()
        .client.post(`/${name}`)
        .send(without)
        .expect(required ? 400 : 200);
    }
  });
});
