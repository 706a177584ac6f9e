/** What else may be wrong with a request of the Open Inference Protocol: its head, its model, its media types. */
import { describe, expect, it } from 'vitest';
import { encode, inferenceOf, inferring, inJson, expectRefused, linear } from '../../support/inference.js';
import { good } from '../../support/requests.js';
import { serveAll } from '../../support/service.js';

const service = serveAll();
const { send } = inferring(service);

describe('a wrong request', () => {
  const binary = encode(linear, () => 'binary');

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
