import { request as httpRequest, type OutgoingHttpHeaders } from 'node:http';
import { describe, expect, it } from 'vitest';
import {
  expectProblem,
  expectRefused,
  wrongBackward,
  wrongForward,
  type Refusal,
  type WrongRequest,
} from '../../support/problem.js';
import { backwardWith, forwardWith, good, layerNames, type LayerName } from '../../support/requests.js';
import { call, serve, serveAll } from '../../support/service.js';

const tooMuch = (layer: LayerName, changes: object, direction: string, says: RegExp): WrongRequest[] => [
  wrongForward(layer, changes as never, { status: 413, type: 'work-limit-exceeded', says }),
  wrongBackward(
    layer,
    { forward: forwardWith(layer, changes as never) },
    { status: 413, type: 'work-limit-exceeded', says: new RegExp(`^${direction} needs `) },
  ),
];

const OPERATIONS = /^forward needs [\d.e+]+ operations; expected at most 20000000000$/;
const BYTES = /^forward needs [\d.e+]+ bytes of results; expected at most 268435456$/;

describe('a small body that asks for too much', () => {
  const service = serveAll();

  it.each([
    ...tooMuch('convolution', { padding: 1_000_000_000 }, 'forward', OPERATIONS),
    ...tooMuch('convolution', { padding: 20_000_000 }, 'forward', BYTES),
    ...tooMuch('convolution', { padding: [[0, 2 ** 31 - 1]], dilation: 1000 }, 'forward', OPERATIONS),
    ...tooMuch('convolution', { padding: [[2 ** 31 - 1, 2 ** 31 - 1]], stride: 1 }, 'forward', OPERATIONS),
    ...tooMuch(
      'convolution',
      { x: [[[[[1]]]]], weight: [[[[[1]]]]], bias: [1], dilation: 1, padding: 2 ** 31 - 1 },
      'forward',
      OPERATIONS,
    ),
    ...tooMuch(
      'convolution',
      {
        weight: [
          [
            [1, 1],
            [1, 1],
          ],
        ],
        padding: 0,
        transposed: true,
        stride: 100_000_000,
        dilation: [50_000_000],
      },
      'forward',
      BYTES,
    ),
    ...tooMuch(
      'convolution',
      {
        x: [[[[[1, 1]]]]],
        weight: [[[[[1]]]]],
        bias: undefined,
        padding: 0,
        dilation: [1, 1, 1],
        transposed: true,
        stride: [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1],
        output_padding: [2 ** 31 - 2, 2 ** 31 - 2, 2 ** 31 - 2],
      },
      'forward',
      /^forward needs [\d.e+]+ (operations|bytes of results); expected at most \d+$/,
    ),
  ])('is refused by $post before anything is allocated: $says', async (wrong) => {
    await expectRefused(service(), wrong);
  });
});

describe.each(layerNames)('the limits hold for %s', (name) => {
  it('on operations, forward and backward', async () => {
    const service = await serve({ WORK_LIMIT_OPERATIONS: '1' });
    const says = /^forward needs \d+ operations; expected at most 1$/;
    await expectRefused(service, wrongForward(name, {}, { status: 413, type: 'work-limit-exceeded', says }));
    await expectRefused(service, wrongBackward(name, {}, { status: 413, type: 'work-limit-exceeded', says }));
  });

  it('on bytes of results, forward and backward', async () => {
    const service = await serve({ WORK_LIMIT_RESULT_BYTES: '1' });
    const says = /^forward needs \d+ bytes of results; expected at most 1$/;
    await expectRefused(service, wrongForward(name, {}, { status: 413, type: 'work-limit-exceeded', says }));
    await expectRefused(service, wrongBackward(name, {}, { status: 413, type: 'work-limit-exceeded', says }));
  });

  it('on the session, with a message that says what to do instead', async () => {
    const service = await serve({ SESSION_BUDGET_BYTES: '1' });
    const says =
      /^the session needs \d+ bytes; at most 1 can be kept here\. Send "session": false to forward, and the forward request/;
    await expectRefused(service, wrongForward(name, {}, { status: 413, type: 'session-too-large', says }));
    await service.client
      .post(`/${name}`)
      .send(forwardWith(name, { session: false }))
      .expect(200);
    await service.client.post(`/${name}/backward`).send(backwardWith(name, {})).expect(200);
  });

  it('on the body, whatever its content', async () => {
    const service = await serve({ BODY_LIMIT_BYTES: '10' });
    const length = JSON.stringify(good[name].forward).length;
    const says = `the body has ${length} bytes; expected at most 10 bytes`;
    await expectRefused(service, wrongForward(name, {}, { status: 413, type: 'body-too-large', says }));
  });
});

describe('the nesting limit', () => {
  const nested = (depth: number) => `{"x":[[1]],"weight":[[1]],"bias":${'['.repeat(depth)}1${']'.repeat(depth)}}`;
  const unknown = (depth: number) => `{"x":[[1]],"weight":[[1]],"what":${'['.repeat(depth)}1${']'.repeat(depth)}}`;

  it('applies as configured, in a tensor and elsewhere', async () => {
    for (const deepest of [50, 512, 1000]) {
      const service = await serve({ NESTING_LIMIT: String(deepest) });
      // The outermost object counts as one level.
      for (const body of [nested(deepest), unknown(deepest)])
        await expectRefused(service, {
          post: 'linear',
          body,
          status: 400,
          type: 'invalid-json',
          says: `the body is nested deeper than ${deepest} arrays and objects`,
        });
      await expectRefused(service, {
        post: 'linear',
        body: unknown(deepest - 1),
        status: 400,
        type: 'invalid-request',
        at: ['/what'],
        says: /^\/what is unknown; expected one of /,
      });
    }
  });
});

describe('work over the limit in only one direction', () => {
  it('is the sum of both in a backward call without a session', async () => {
    const refused = { status: 413, type: 'work-limit-exceeded' } as const;
    // Forward is 2·2·3·2 operations. Backward is twice as many for dx and dweight, and 2·2 for dbias.
    const service = await serve({ WORK_LIMIT_OPERATIONS: '75' });
    const says = 'forward plus backward needs 76 operations; expected at most 75';
    await expectRefused(service, wrongBackward('linear', {}, { ...refused, says }));
    const { session } = await call(service, 'linear', good.linear.forward);
    await call(service, 'linear/backward', { ...good.linear.backward, session });
    await call(await serve({ WORK_LIMIT_OPERATIONS: '76' }), 'linear/backward', backwardWith('linear', {}));
  });

  it('does not affect the session of the forward call that was served', async () => {
    // 2·2·3·2 operations forward; backward needs twice as many, plus those for the bias.
    const service = await serve({ WORK_LIMIT_OPERATIONS: '24' });
    const { session } = await call(service, 'linear', good.linear.forward);
    for (const given of [{ session }, { forward: good.linear.forward }])
      expectProblem(await service.client.post('/linear/backward').send({ ...given, ...good.linear.backward }), {
        status: 413,
        type: 'work-limit-exceeded',
        says: 'backward needs 52 operations; expected at most 24',
      });
    await service.client.get(`/sessions/${session}`).expect(200);
  });
});

/** Posts all bytes on a separate connection, regardless of early responses. */
function upload(port: number, headers: OutgoingHttpHeaders, body: Buffer): Promise<Refusal> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, path: '/linear/forward', method: 'POST', agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          resolve({ status, headers, body: JSON.parse(text) as unknown });
        });
      },
    );
    for (const [name, value] of Object.entries(headers)) request.setHeader(name, value ?? '');
    request.on('error', reject).on('timeout', () => request.destroy(new Error('no answer within 20 s')));
    request.end(body);
  });
}

describe('a body over the limit', () => {
  const service = serveAll({ BODY_LIMIT_BYTES: '100000' });
  // Larger than socket buffers: if the server closed the connection, the upload would fail.
  const body = Buffer.alloc(30_000_000, ' ');

  it.each([
    ['with its length', { 'content-length': body.length, connection: 'keep-alive' }, 'the body has 30000000 bytes'],
    ['in chunks', { 'transfer-encoding': 'chunked', connection: 'keep-alive' }, 'the body has more than 100000 bytes'],
    [
      'with its length, for the last time',
      { 'content-length': body.length, connection: 'close' },
      'the body has 30000000 bytes',
    ],
    [
      'in chunks, for the last time',
      { 'transfer-encoding': 'chunked', connection: 'close' },
      'the body has more than 100000 bytes',
    ],
  ])('is refused in a way that a client can read while still sending: %s', async (_name, headers, came) => {
    for (let i = 0; i < 5; i++)
      expectProblem(await upload(service().port, { 'content-type': 'application/json', ...headers }, body), {
        status: 413,
        type: 'body-too-large',
        says: `${came}; expected at most 100000 bytes`,
      });
    await service().client.post('/linear').send(good.linear.forward).expect(200);
  });

  it('is refused if it is one byte over', async () => {
    const request = JSON.stringify(good.linear.forward);
    const padded = (length: number) => request + ' '.repeat(length - request.length);
    const post = (text: string) => service().client.post('/linear').set('content-type', 'application/json').send(text);
    await post(padded(100_000)).expect(200);
    expectProblem(await post(padded(100_001)), {
      status: 413,
      type: 'body-too-large',
      says: 'the body has 100001 bytes; expected at most 100000 bytes',
    });
  });
});

describe('a full store', () => {
  it('is 503 with Retry-After for every layer, and discards no live session', async () => {
    const service = await serve({ SESSION_BUDGET_BYTES: '3000', SESSION_TTL_SECONDS: '60' });
    const sessions = [
      await call(service, 'dropout', { x: Array(150).fill(1), seed: 1 }),
      await call(service, 'dropout', { x: Array(800).fill(1), seed: 1 }),
    ];
    for (const name of layerNames) {
      const response = await service.client.post(`/${name}`).send(good[name].forward);
      expectProblem(response, {
        status: 503,
        type: 'session-store-full',
        says: /^the session needs \d+ bytes, but 2998 of 3000 are in use by live sessions\. Release sessions \("release": true, or DELETE \/sessions\/\{token\}\), or send "session": false, or wait$/,
      });
      expect(response.headers['retry-after']).toBe('60');
    }
    for (const { session } of sessions) await service.client.get(`/sessions/${session}`).expect(200);
  });
});
