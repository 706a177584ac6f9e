/** Other errors in requests of the Open Inference Protocol: head, model, media types. */
import { describe, expect, it } from 'vitest';
import { encode, inferenceOf, inferring, inJson, expectRefused, linear } from '../../support/inference.js';
import { good } from '../../support/requests.js';
import { keysFile } from '../../support/keys.js';
import { exchange } from '../../support/raw.js';
import { serve, serveAll, type Overrides, type Service } from '../../support/service.js';

const service = serveAll();
const { send } = inferring(service);

describe('a wrong request', () => {
  const binary = encode(linear, () => 'binary');

  it.each(['abc', '-1', '1.5', '1e3', '0x10', '', '12, 12', '99999999999999999999'])(
    'is refused where the length of the JSON part is %j',
    async (length) => {
      const headers = { 'inference-header-content-length': length };
      await expectRefused(await send('linear_forward/infer', { body: binary.body }, headers), {
        status: 400,
        type: 'invalid-inference-request',
        says: `Inference-Header-Content-Length is "${length}"; expected the length of the JSON part in bytes, an integer`,
      });
    },
  );

  it.each([
    ['nothing_forward/infer', 'there is no model "nothing_forward"; expected one of '],
    ['linear/infer', 'there is no model "linear"; expected one of '],
    ['linear_forward/versions/2/infer', 'linear_forward has no version "2"; expected "1"'],
  ])('is 404 for an unknown model: %s', async (path, says) => {
    for (const headers of [{}, { 'content-type': 'text/plain', accept: 'text/plain' }])
      await expectRefused(await send(path, { body: Buffer.from('{') }, headers), {
        status: 404,
        type: 'unknown-model',
        says: new RegExp(`^${says}`),
      });
    for (const own of [path.replace('/infer', ''), path.replace('infer', 'ready')]) {
      const { status, body } = (await service().client.get(`/v2/models/${own}`)) as { status: number; body: unknown };
      expect([status, body]).toMatchObject([404, { error: expect.stringMatching(new RegExp(`^${says}`)) as string }]);
    }
  });

  it('is refused for its media types as on other routes', async () => {
    for (const type of ['application/vnd.safetensors', 'text/plain', 'application/x-www-form-urlencoded'])
      await expectRefused(await send('linear_forward/infer', inJson(linear), { 'content-type': type }), {
        status: 415,
        type: 'unsupported-media-type',
        says: `the body's Content-Type is ${type}; expected application/json or application/octet-stream, or none`,
      });
    const { status, bytes } = await send('linear_forward/infer', inJson(linear), { accept: 'application/xml' });
    const error = 'Accept is application/xml; expected it to include application/json or application/octet-stream';
    expect([status, JSON.parse(bytes.toString())]).toEqual([406, { error }]);
  });

  it("has a message with the protocol's types if Content-Type is empty", async () => {
    const head = 'POST /v2/models/linear_forward/infer HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n';
    const answer = await exchange(service().port, `${head}Content-Type:\r\nContent-Length: 2\r\n\r\n{}`);
    expect(answer).toContain('HTTP/1.1 415 ');
    expect(JSON.parse(answer.slice(answer.indexOf('{')))).toEqual({
      error: "the body's Content-Type is empty; expected application/json or application/octet-stream, or none",
    });
  });

  it.each(['application/problem+json', 'application/problem+json, application/xml;q=0.1'])(
    'has its answer in the protocol’s type, and its errors as problem details, with Accept: %s',
    async (accept) => {
      const right = await send('linear_forward/infer', inJson(linear), { accept });
      expect([right.status, right.headers.get('content-type')]).toEqual([200, 'application/json']);
      expect(JSON.parse(right.bytes.toString())).toHaveProperty('outputs');
      const wrong = await send('linear_forward/infer', { body: Buffer.from('{') }, { accept });
      expect([wrong.status, wrong.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
      const { status, body } = (await service().client.get('/v2/models').set('accept', accept)) as {
        status: number;
        body: unknown;
      };
      expect([status, body]).toMatchObject([200, { models: expect.any(Array) as unknown }]);
    },
  );

  it.each([
    ['no-path', 404, 'there is no GET /v2/no-path; GET /v2/models lists the models, and GET /docs lists the routes'],
    ['models/%zz', 400, '/v2/models/%zz is not a well-formed URL path'],
    ['models/linear_forward/infer', 405, '/v2/models/linear_forward/infer does not support GET; expected POST'],
  ])('has the protocol’s error even before routing: %s', async (path, status, error) => {
    const { client } = service();
    const sent = await client.get(`/v2/${path}`);
    expect([sent.status, sent.headers['content-type'], sent.body]).toEqual([status, 'application/json', { error }]);
    for (const accept of ['application/problem+json', 'application/json, application/problem+json;q=0.5'])
      expect((await client.get(`/v2/${path}`).set('accept', accept)).body).toMatchObject({ status, detail: error });
    for (const accept of ['*/*', 'application/*', 'application/problem+json;q=0, */*', 'application/problem+jsonx'])
      expect((await client.get(`/v2/${path}`).set('accept', accept)).body).toEqual({ error });
  });

  it('has problem details outside /v2', async () => {
    for (const path of ['/v2x', '/v3', '/nothing/v2'])
      expect((await service().client.get(path)).headers['content-type']).toBe('application/problem+json');
  });

  it.each<[string, Overrides, (service: Service) => Promise<unknown>, number, RegExp]>([
    [
      'a body over the limit',
      { BODY_LIMIT_BYTES: '1024' },
      (of) => infer(of, JSON.stringify({ ...linear, id: 'x'.repeat(2000) })),
      413,
      /^the body has \d+ bytes; expected at most 1024/,
    ],
    ['a key that is missing', {}, (of) => infer(of, '{}'), 401, /^Authorization is absent/],
    [
      'too many requests',
      { RATE_LIMIT_PER_MINUTE: '1' },
      async (of) => {
        await infer(of, '{}');
        return infer(of, '{}');
      },
      429,
      /^this address has sent more than 1 requests/,
    ],
    [
      'a body without room',
      { BODIES_BUDGET_BYTES: '8' },
      (of) => infer(of, '{"inputs":[]}'),
      503,
      /^request bodies in flight/,
    ],
    [
      'a session without room',
      { SESSION_BUDGET_BYTES: '1500' },
      async (of) => {
        await infer(of, JSON.stringify({ inputs: linear.inputs }));
        return infer(of, JSON.stringify({ inputs: linear.inputs }));
      },
      503,
      /^the session needs \d+ bytes, but \d+ of 1500 are in use by live sessions\. Release sessions \(parameter "release": true, or "sequence_end": true\), or send the parameter "session": false, or wait$/,
    ],
    [
      'a session that is too large',
      { SESSION_BUDGET_BYTES: '1024' },
      (of) => infer(of, JSON.stringify({ inputs: linear.inputs })),
      413,
      /^the session needs \d+ bytes; at most 1024 can be kept here\. Send the parameter "session": false without a sequence_id to forward, and its inputs as "forward\.…" to backward$/,
    ],
  ])('has the protocol’s error if the service itself refuses: %s', async (what, variables, ask, status, says) => {
    const keys = what === 'a key that is missing' ? { API_KEYS_FILE: keysFile('a').path } : {};
    const of = await serve({ ...variables, ...keys });
    expect(await ask(of)).toEqual({
      status,
      type: 'application/json',
      body: { error: expect.stringMatching(says) as string },
    });
  });

  it.each([
    [
      'a header over the limit',
      (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
    ],
    ['what is not HTTP', (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n`, 400],
    ['a body that never comes', (path: string) => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n`, 408],
  ])('has the protocol’s error for %s', async (_what, bytes, status) => {
    const { port } = await serve({ REQUEST_TIMEOUT_SECONDS: '1' });
    const path = '/v2/models/linear_forward/infer';
    const answer = await exchange(port, Buffer.from(bytes(path)));
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} .*\\r\\nContent-Type: application/json\\r\\n`));
    expect(Object.keys(JSON.parse(answer.slice(answer.indexOf('{'))) as object)).toEqual(['error']);
    const other = await exchange(port, Buffer.from(bytes('/linear')));
    expect(other).toContain('Content-Type: application/problem+json\r\n');
  });

  it('points into the integers of a flat tensor', async () => {
    const request = inferenceOf('rnn', { ...good.rnn.forward, sequence_lengths: [3] }, 'float64');
    const place = request.inputs.findIndex(({ name }) => name === 'sequence_lengths');
    await expectRefused(await send('rnn_forward/infer', inJson(request)), {
      status: 422,
      type: 'value-mismatch',
      says: /sequence_lengths/,
      at: [`/inputs/${place}/data/0`],
    });
    await expectRefused(
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

  it('names the tensor if an integer does not fit into 32 bits', async () => {
    const request = inferenceOf('rnn', { ...good.rnn.forward, sequence_lengths: [2 ** 32] }, 'float64');
    const place = request.inputs.findIndex(({ name }) => name === 'sequence_lengths');
    await expectRefused(
      await send(
        'rnn_forward/infer',
        encode(request, () => 'binary'),
      ),
      {
        status: 400,
        type: 'invalid-tensor',
        says: 'sequence_lengths contains 4294967296; expected 32-bit integers',
        at: [`/inputs/${place}`],
      },
    );
  });
});

async function infer({ url }: Service, body: string): Promise<unknown> {
  const response = await fetch(`${url}/v2/models/linear_forward/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return { status: response.status, type: response.headers.get('content-type'), body: await response.json() };
}

describe('a client that asks for problem details', () => {
  it.each([
    ['application/problem+json, application/json;q=0', 406],
    ['application/problem+json, application/*;q=0.0', 406],
    ['application/problem+json, */*; q=0', 406],
    ['application/problem+json', 200],
    ['application/problem+json, application/json;q=0.1', 200],
    ['application/problem+json, text/*;q=0', 200],
  ])('gets JSON unless it excludes it: %s', async (accept, status) => {
    await service().client.get('/v2').set('accept', accept).expect(status);
  });
});

// RFC 9110, 12.4.2 and 12.5.1: a weight of 0 excludes a type, and the most specific range decides.
describe('a media type that Accept excludes', () => {
  const asks = {
    'no binary outputs': inJson(linear),
    'binary outputs': inJson({ ...linear, parameters: { ...linear.parameters, binary_data_output: true } }),
    'one binary output': inJson({ ...linear, outputs: [{ name: 'out', parameters: { binary_data: true } }] }),
    'no binary output by its own parameter': inJson({
      ...linear,
      parameters: { ...linear.parameters, binary_data_output: true },
      outputs: [{ name: 'out', parameters: { binary_data: false } }],
    }),
  };
  const json = ['no binary outputs', 'no binary output by its own parameter'] as const;
  const binary = ['binary outputs', 'one binary output'] as const;

  it.each([
    ...[
      'application/json;q=0, */*',
      'application/octet-stream, application/json;q=0',
      '*/*, application/JSON ; q=0.000',
      'application/octet-stream, application/*;q=0',
      'application/octet-stream, */*;q=0',
    ].map((accept) => [accept, json, binary, 'application/json', 'no binary outputs; expected at least one'] as const),
    ...[
      'application/octet-stream;q=0, application/json',
      'application/json, application/*;q=0',
      'application/json;q=0.001, */*;q=0.0',
    ].map((accept) => [accept, binary, json, 'application/octet-stream', 'binary outputs; expected none'] as const),
  ])('is not that of the answer: %s', async (accept, refused, right, type, asked) => {
    for (const what of refused)
      await expectRefused(await send('linear_forward/infer', asks[what], { accept }), {
        status: 406,
        type: 'not-acceptable',
        says: `Accept excludes ${type}, and the request asks for ${asked}, or another Accept`,
      });
    for (const what of right) expect((await send('linear_forward/infer', asks[what], { accept })).status).toBe(200);
  });

  it.each(['application/octet-stream', 'application/json', '*/*;q=0, application/*', 'text/html;q=0, */*'])(
    'is only one with a weight of 0: %s',
    async (accept) => {
      for (const request of Object.values(asks))
        expect((await send('linear_forward/infer', request, { accept })).status).toBe(200);
    },
  );

  it('matters only to a request that can be read', async () => {
    const accept = 'application/json;q=0, */*';
    const { status } = await send('linear_forward/infer', { body: Buffer.from('{"inputs":[') }, { accept });
    expect(status).toBe(400);
  });
});
