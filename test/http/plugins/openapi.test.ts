import { describe, expect, it } from 'vitest';
import { documentOf, operationsOf, type OpenApi } from '../../support/openapi.js';
import { layerNames, schemasOf, type Body } from '../../support/requests.js';
import { call, serve, serveAll } from '../../support/service.js';

describe('/openapi.json', () => {
  const service = serveAll();

  it('describes tensors of ranks 1 to 6 as nested arrays, without recursion', async () => {
    const { components } = (await documentOf(service())) as unknown as {
      components: { schemas: Readonly<Record<string, { items?: object; anyOf?: object[] }>> };
    };
    const reference = (name: string) => ({ $ref: `#/components/schemas/${name}` });
    const ranks = [1, 2, 3, 4, 5, 6];
    expect(components.schemas.Tensor.anyOf).toEqual(ranks.map((rank) => reference(`Tensor${rank}`)));
    for (const rank of ranks)
      expect(components.schemas[`Tensor${rank}`]).toMatchObject({
        type: 'array',
        minItems: 1,
        items: reference(rank === 1 ? 'TensorNumber' : `Tensor${rank - 1}`),
      });
    expect(components.schemas.TensorNumber.anyOf).toEqual([
      { type: 'number' },
      { type: 'string', enum: ['NaN', 'Infinity', '-Infinity'] },
    ]);
  });

  it('describes safetensors for every layer route that accepts or returns them', async () => {
    const types = ['application/json', 'application/vnd.safetensors'];
    const operations = operationsOf(await documentOf(service())).filter(({ operation }) =>
      operation.tags.some((tag) => layerNames.includes(tag as never)),
    );
    expect(operations).toHaveLength(6 * layerNames.length);
    for (const { method, path, operation } of operations) {
      expect(Object.keys(operation.responses[200]?.content ?? {}), path).toEqual(types);
      if (method === 'post') expect(Object.keys(operation.requestBody?.content ?? {}), path).toEqual(types);
    }
  });

  it("states the server's address for any prefix of a proxy", async () => {
    const { url } = service();
    for (const path of ['openapi.json', 'docs/json'])
      for (const prefix of ['', 'some/layerd/']) {
        const { body } = (await service().client.get(`/${path}`).expect(200)) as { body: OpenApi };
        expect(new URL(body.servers[0].url, `${url}/${prefix}${path}`).href).toBe(`${url}/${prefix}`);
      }
  });

  it('has every public route, and no other', async () => {
    const document = await documentOf(service());
    const wanted = [
      ...layerNames.flatMap((name) => [`POST /${name}`, `POST /${name}/forward`, `POST /${name}/backward`]),
      ...layerNames.flatMap((name) => [`POST /${name}/check`, `POST /${name}/check/case`, `GET /${name}/check/case`]),
      'GET /layers/{layer}/mistakes',
      'GET /layers',
      'GET /layers/{layer}',
      'GET /sessions/{token}',
      'DELETE /sessions/{token}',
      'GET /health/live',
      'GET /health/ready',
      'GET /metrics',
      'GET /v2',
      'GET /v2/health/live',
      'GET /v2/health/ready',
      'GET /v2/models',
      'GET /v2/models/stats',
      'POST /v2/repository/index',
      ...['/v2/models/{model}', '/v2/models/{model}/versions/{version}'].flatMap((model) => [
        `GET ${model}`,
        `GET ${model}/config`,
        `GET ${model}/stats`,
        `GET ${model}/ready`,
        `POST ${model}/infer`,
      ]),
    ];
    const operations = operationsOf(document);
    expect(operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort()).toEqual(wanted.sort());
    for (const { method, path } of operations) {
      const url = path.replaceAll(/\{(\w+)\}/g, ':$1');
      expect(service().app.hasRoute({ method: method.toUpperCase(), url }), url).toBe(true);
    }
  });

  it('has a unique id, a summary, a described tag and the problems of every operation', async () => {
    const document = await documentOf(service());
    const operations = operationsOf(document);
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
    const tags = document.tags.map(({ name }) => name);
    for (const { path, operation } of operations) {
      const { operationId, summary, tags: own, responses } = operation;
      expect(summary, operationId).toMatch(/\w/);
      for (const tag of own) expect(tags).toContain(tag);
      const [success, ...others] = Object.keys(responses);
      expect(success).toMatch(/^20[04]$/);
      for (const status of others)
        expect(Object.keys(responses[status]?.content ?? {}), `${operationId} ${status}`).toEqual([
          ...(path.startsWith('/v2') ? ['application/json'] : []),
          'application/problem+json',
        ]);
    }
  });

  it('says for every route except the probes that it may require a key, or be limited', async () => {
    const operations = operationsOf(await documentOf(service()));
    for (const { path, operation } of operations) {
      const statuses = Object.keys(operation.responses);
      const wanted = ['401', '429', '503'].filter((status) => statuses.includes(status));
      if (/^(\/v2)?\/health\/live$/.test(path)) expect(wanted).toEqual([]);
      else if (/^(\/v2)?\/health\/ready$/.test(path)) expect(wanted).toEqual(['503']);
      else expect(wanted, path).toEqual(['401', '429', '503']);
    }
  });

  it.each([
    [400, 'options=x'],
    [406, ''],
    [413, `options=${encodeURIComponent('{"padding":1048576}')}`],
    [422, `options=${encodeURIComponent('{"groups":3}')}`],
  ])('lists every status of a refused case: %i', async (status, query) => {
    const accept = status === 406 ? 'application/xml' : '*/*';
    await service().client.get(`/convolution/check/case?${query}`).set('accept', accept).expect(status);
    const operations = operationsOf(await documentOf(service()));
    const found = operations.find(({ operation }) => operation.operationId === 'convolution_check_fixture');
    expect(Object.keys(found?.operation.responses ?? {})).toContain(String(status));
  });

  it('describes the shape and the meaning of every tensor', async () => {
    const document = await documentOf(service());
    let tensors = 0;
    for (const { operation } of operationsOf(document))
      for (const content of [operation.requestBody?.content, operation.responses[200]?.content])
        for (const [name, schema] of Object.entries(content?.['application/json']?.schema.properties ?? {}))
          if ('allOf' in schema || '$ref' in schema) {
            tensors++;
            expect(schema, `${operation.operationId} ${name}`).toMatchObject({
              allOf: [{ $ref: '#/components/schemas/Tensor' }],
              'x-shape': expect.stringMatching(/\[|as /) as string,
              description: expect.stringMatching(/\w/) as string,
            });
          }
    expect(tensors).toBeGreaterThan(100);
  });

  it('has the version of the package', async () => {
    const { info } = await documentOf(service());
    expect(info).toMatchObject({ title: 'layerd', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string });
  });
});

describe.each(layerNames)('the examples of %s', (name) => {
  const service = serveAll();

  it.each([`/${name}`, `/${name}/forward`, `/${name}/backward`])(
    'work: POST %s answers according to its schema',
    async (path) => {
      const { paths } = await documentOf(service());
      const { requestBody, responses } = paths[path]?.post ?? {};
      const { example, schema } = requestBody?.content['application/json'] ?? {};
      const response = await service().client.post(path).send(example).expect(200);
      const answer = response.body as Body;
      const declared = responses?.[200]?.content?.['application/json']?.schema;
      expect(Object.keys(declared?.properties ?? {})).toEqual(expect.arrayContaining(Object.keys(answer)));
      expect(Object.keys(answer)).toEqual(expect.arrayContaining([...(declared?.required ?? [])]));
      expect(Object.keys(schema?.properties ?? {})).toEqual(expect.arrayContaining(Object.keys(example ?? {})));
    },
  );

  it('have the same results with every default stated explicitly', async () => {
    const { paths } = await documentOf(service());
    const { example, schema } = paths[`/${name}/forward`]?.post?.requestBody?.content['application/json'] ?? {};
    const defaults = Object.entries(schema?.properties ?? {}).filter(([, property]) => 'default' in property);
    expect(defaults.map(([option]) => option)).toEqual(expect.arrayContaining(['dtype', 'session']));
    const gradientsOf = Object.keys(schemasOf(name).upstream.properties);
    const answers = async (forward: Body) => {
      const { session, ...outputs } = (await service().client.post(`/${name}`).send(forward).expect(200)).body as Body;
      // Any upstream gradient with the shape of its output will do.
      const upstream = Object.fromEntries(gradientsOf.map((gradient) => [gradient, outputs[gradient.slice(1)]]));
      const backward = { ...upstream, forward: { ...forward, session: false } };
      const gradients = await call(service(), `${name}/backward`, backward);
      return { hasSession: typeof session, outputs, gradients };
    };
    for (const [option, { default: value }] of defaults) {
      const { [option]: _, ...without } = example ?? {};
      expect(await answers({ ...without, [option]: value }), option).toEqual(await answers(without));
    }
  });
});

describe('/docs', () => {
  const service = serveAll();

  it('is a page whose files all come from the service', async () => {
    const { text: html, headers } = await service().client.get('/docs/').expect(200);
    expect(headers['content-type']).toMatch(/^text\/html/);
    expect(html).not.toMatch(/https?:|["'(]\/\//i);
    const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file);
    expect(files.length).toBeGreaterThan(4);
    for (const file of files) {
      expect(file).toMatch(/^\.\/static\/[\w.-]+$/);
      const { text, headers } = await service()
        .client.get(`/docs/${file.slice(2)}`)
        .buffer(true)
        .expect(200);
      if (headers['content-type'].startsWith('text/css'))
        for (const [, url = ''] of text.matchAll(/url\(([^)]*)\)/g)) expect(url).toMatch(/^["']?data:/);
    }
  });

  it('has a trailing slash, because its files have relative URLs', async () => {
    expect((await service().client.get('/docs').expect(301)).headers.location).toBe('docs/');
  });

  it('reads the document of the service', async () => {
    const { text } = await service().client.get('/docs/static/swagger-initializer.js').buffer(true).expect(200);
    expect(text).toContain("resolveUrl('./json')");
    const { body } = (await service().client.get('/docs/json').expect(200)) as { body: unknown };
    expect(body).toEqual({ ...(await documentOf(service())), servers: [{ url: '..' }] });
  });

  it('forbids the browser all other hosts, and does not upgrade http to https', async () => {
    const { headers } = await service().client.get('/docs/').expect(200);
    const policy = headers['content-security-policy'] ?? '';
    expect(policy).toContain("default-src 'self'");
    const sources = policy.split(';').flatMap((directive) => directive.trim().split(' ').slice(1));
    expect(
      sources.filter((source) => !/^('self'|'none'|'unsafe-inline'|data:)$/.test(source) && source !== ''),
    ).toEqual([]);
    expect(policy).not.toContain('upgrade-insecure-requests');
    expect(policy).toMatch(/default-src 'self'(;|$)/);
  });

  it('is available while the API refuses work', async () => {
    const small = await serve({ WORK_LIMIT_OPERATIONS: '1', SESSION_BUDGET_BYTES: '0', BODY_LIMIT_BYTES: '1' });
    await small.client.get('/docs/').expect(200);
    await small.client.get('/openapi.json').expect(200);
  });
});
