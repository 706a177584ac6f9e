import { describe, expect, it } from 'vitest';
import { expectRefused, wrongBackward, wrongForward, type WrongRequest } from '../../support/problem.js';
import { backwardWith, forwardWith, good, layerNames, schemasOf } from '../../support/requests.js';
import { serveAll } from '../../support/service.js';

const service = serveAll();

const TENSOR = 'expected a tensor, nested arrays of numbers';

describe('a body that is not JSON', () => {
  it.each<[string, string | Buffer, string | RegExp]>([
    ['nothing', '', 'the body is empty; expected a JSON object'],
    ['a space', ' ', 'the body is not JSON: it ends at byte 1; expected a value'],
    ['words', 'hello', 'the body is not JSON: "hello" at byte 0; expected a value'],
    ['half an object', '{"x":[[1,2],', /^the body is not JSON: /],
    ['two objects', '{}{}', 'the body is not JSON: "{" at byte 2; expected the end of the text'],
    ['a comma too many', '{"x":[1,]}', 'the body is not JSON: "]" at byte 8; expected a value for /x/1'],
    ['a comment', '{"x":[1] /* one */}', /^the body is not JSON: /],
    ['single quotes', "{'x':[1]}", /^the body is not JSON: /],
    ['NaN without quotes', '{"x":[NaN]}', /^the body is not JSON: NaN at byte 6 .*; expected the string "NaN"$/],
    ['Infinity without quotes', '{"x":[-Infinity]}', /^the body is not JSON: .*; expected the string "-Infinity"$/],
    ['hexadecimal digits', '{"x":[0x10]}', /^the body is not JSON: /],
    ['a leading zero', '{"x":[01]}', /^the body is not JSON: /],
    ['a leading point', '{"x":[.5]}', /^the body is not JSON: /],
    [
      'a line break in a string',
      '{"dtype":"float\n64"}',
      /^the body is not JSON: "\\n" at byte 15; expected a string without control characters/,
    ],
    ['a byte order mark', '\uFEFF{"x":[1]}', /^the body begins with a byte-order mark \(EF BB BF\)/],
    ['Latin-1', Buffer.from('{"é":1}', 'latin1'), 'the body is not UTF-8, as JSON must be'],
    ['UTF-16', Buffer.from('\uFEFF{"x":[1]}', 'utf16le'), /^the body begins with the byte-order mark of UTF-16/],
    ['a cut code point', Buffer.from([0x22, 0xe2, 0x82, 0x22]), 'the body is not UTF-8, as JSON must be'],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'the body is not UTF-8, as JSON must be'],
  ])('is refused: %s', async (_name, body, says) => {
    for (const post of ['dropout', 'dropout/forward', 'dropout/backward'])
      await expectRefused(service(), { post, body, status: 400, type: 'invalid-json', says });
  });
});

describe('a name that occurs twice', () => {
  it.each([
    ['linear', '{"x":[[1]],"x":[[2]],"weight":[[1]],"session":false}', '/x'],
    ['linear', '{"x":[[1]],"\\u0078":[[2]],"weight":[[1]]}', '/x'],
    ['linear/forward', '{"x":[[1]],"weight":[[1]],"dtype":"float32","dtype":"float64"}', '/dtype'],
    ['linear/backward', '{"forward":{"x":[[1]],"weight":[[1]],"weight":[[1]]},"dout":[[1]]}', '/forward/weight'],
    ['linear/backward', '{"forward":{"x":[[1]],"weight":[[1]]},"forward":{},"dout":[[1]]}', '/forward'],
    ['linear/backward', '{"session":"abc","dout":[[1]],"dout":[[1]]}', '/dout'],
    ['linear/check', '{"forward":{"x":[[1]],"weight":[[1]]},"claims":{"out":[[1]],"out":[[2]]}}', '/claims/out'],
    ['linear/check', '{"forward":{"x":[[1]],"weight":[[1]]},"rtol":1,"claims":{"out":[[1]]},"rtol":2}', '/rtol'],
    ['pooling/check/case', '{"options":{"mode":"max","mode":"max"}}', '/options/mode'],
    // The duplicate is reported although the field itself is unknown.
    ['linear', '{"x":[[1]],"weight":[[1]],"what":{"a":[{"b":1,"b":1}]}}', '/what/a/0/b'],
    ['linear', '{"x":[[{"b":1,"b":1}]],"weight":[[1]]}', '/x/0/0/b'],
  ])('is refused: POST /%s %s', async (post, body, pointer) => {
    const says = `${pointer} occurs twice; expected each name once`;
    await expectRefused(service(), { post, body, status: 400, type: 'duplicate-name', at: [pointer], says });
  });

  it('is refused in the options of a case requested by a query', async () => {
    const options = encodeURIComponent('{"mode":"max","mode":"average"}');
    const answer = await service().client.get(`/pooling/check/case?options=${options}`).expect(400);
    expect(answer.body).toMatchObject({ type: '/problems/duplicate-name', errors: [{ pointer: '/options/mode' }] });
  });
});

describe('a body that is not an object', () => {
  it.each([
    ['null', 'null'],
    ['true', 'true'],
    ['5', '5'],
    ['"x"', '"x"'],
    ['[]', 'an empty array'],
    ['[[1,2],[3,4]]', 'an array of 2'],
  ])('is refused: %s', async (body, shown) => {
    for (const post of ['linear', 'linear/forward', 'linear/backward'])
      await expectRefused(service(), {
        post,
        body,
        status: 400,
        type: 'invalid-request',
        at: [''],
        says: `the body is ${shown}; expected an object`,
      });
  });
});

describe.each(layerNames)('%s without a required field', (name) => {
  const { inputs, upstream } = schemasOf(name);

  it.each(inputs.required ?? [])('is refused: %s', async (tensor) => {
    await expectRefused(
      service(),
      wrongForward(
        name,
        { [tensor]: undefined },
        { status: 400, type: 'invalid-request', at: [`/${tensor}`], says: `/${tensor} is missing; ${TENSOR}` },
      ),
    );
    await expectRefused(
      service(),
      wrongBackward(
        name,
        { forward: forwardWith(name, { [tensor]: undefined }) },
        {
          status: 400,
          type: 'invalid-request',
          at: [`/forward/${tensor}`],
          says: `/forward/${tensor} is missing; ${TENSOR}`,
        },
      ),
    );
  });

  it('is refused: every upstream gradient', async () => {
    const names = Object.keys(upstream.properties);
    const absent = Object.fromEntries(names.map((gradient) => [gradient, undefined]));
    const says =
      names.length === 1
        ? `/dout is missing; ${TENSOR}`
        : `the request has no upstream gradient; expected at least one of ${names.map((gradient) => `/${gradient}`).join(', ')}`;
    await expectRefused(
      service(),
      wrongBackward(name, absent, { status: 400, type: 'invalid-request', at: ['/dout'], says }),
    );
  });

  it('is refused: session and forward', async () => {
    const says =
      'neither /session nor /forward is present; expected one of the two: the token that forward returned, or the forward request itself';
    await expectRefused(
      service(),
      wrongBackward(name, { forward: undefined }, { status: 400, type: 'invalid-request', at: ['/session'], says }),
    );
  });
});

const wrong: WrongRequest[] = [
  {
    post: 'linear',
    body: {},
    status: 400,
    type: 'invalid-request',
    at: ['/x', '/weight'],
    says: `/x is missing; ${TENSOR}; /weight is missing; ${TENSOR}`,
  },
  {
    post: 'pooling',
    body: { kernel_size: 0 },
    status: 400,
    type: 'invalid-request',
    at: ['/x', '/mode', '/kernel_size'],
    says: /^\/x is missing; .*\/mode is missing; expected "max" or "average"; \/kernel_size is 0; /,
  },
  wrongForward(
    'pooling',
    { kernel_size: undefined },
    { status: 400, type: 'invalid-request', at: ['/kernel_size'], says: /^kernel_size is missing; expected/ },
  ),
  wrongForward(
    'linear',
    { 'a/b': 1, 'c~d': 2, '': 3 },
    {
      status: 400,
      type: 'invalid-request',
      at: ['/a~1b', '/c~0d', '/'],
      says: '/a~1b is unknown; expected one of x, weight, bias, dtype, session; /c~0d is unknown; expected one of x, weight, bias, dtype, session; / is unknown; expected one of x, weight, bias, dtype, session',
    },
  ),
  {
    post: 'linear',
    body: '{"x":[[1]],"weight":[[1]],"__proto__":{"bias":[1]}}',
    status: 400,
    type: 'invalid-request',
    at: ['/__proto__'],
    says: '/__proto__ is unknown; expected one of x, weight, bias, dtype, session',
  },
  {
    post: 'dropout/backward',
    body: '{"dout":[1],"forward":{"x":[1],"__proto__":{"rate":0}}}',
    status: 400,
    type: 'invalid-request',
    at: ['/forward/__proto__'],
    says: '/forward/__proto__ is unknown; expected one of x, rate, training, scaling, seed, dtype, session',
  },
  wrongForward(
    'linear',
    { constructor: 1 },
    { status: 400, type: 'invalid-request', at: ['/constructor'], says: /^\/constructor is unknown; / },
  ),
  wrongForward('linear', Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`unknown${i}`, i])), {
    status: 400,
    type: 'invalid-request',
    at: Array.from({ length: 10 }, (_, i) => `/unknown${i}`),
    says: /^\/unknown0 is unknown; .*\/unknown9 is unknown; /,
  }),
  wrongForward(
    'linear',
    { ['k'.repeat(5000)]: 1 },
    {
      status: 400,
      type: 'invalid-request',
      at: [`/${'k'.repeat(5000)}`],
      says: `/${'k'.repeat(199)}… is unknown; expected one of x, weight, bias, dtype, session`,
    },
  ),
  wrongForward('linear', { dout: [[1]] }, { status: 400, type: 'invalid-request', at: ['/dout'], says: /is unknown/ }),
  wrongForward(
    'linear',
    { release: true },
    { status: 400, type: 'invalid-request', at: ['/release'], says: /is unknown/ },
  ),
  wrongBackward(
    'linear',
    { session: 'token' },
    {
      status: 400,
      type: 'invalid-request',
      at: ['/forward'],
      says: '/session and /forward are both present; expected one of the two: the token that forward returned, or the forward request itself',
    },
  ),
  wrongBackward(
    'linear',
    { release: true },
    {
      status: 400,
      type: 'invalid-request',
      at: ['/release'],
      says: '/release is true; expected false, because the request has no session',
    },
  ),
  wrongBackward(
    'linear',
    { release: 'yes' },
    { status: 400, type: 'invalid-request', at: ['/release'], says: '/release is "yes"; expected true or false' },
  ),
  wrongBackward(
    'linear',
    { release: null },
    { status: 400, type: 'invalid-request', at: ['/release'], says: '/release is null; expected true or false' },
  ),
  wrongBackward(
    'linear',
    { x: [[1]] },
    {
      status: 400,
      type: 'invalid-request',
      at: ['/x'],
      says: '/x is unknown; expected one of session, forward, release, dout',
    },
  ),
  wrongBackward(
    'batchnorm',
    { dgamma: [1, 1] },
    {
      status: 400,
      type: 'invalid-request',
      at: ['/dgamma'],
      says: '/dgamma is unknown; expected one of session, forward, release, dout',
    },
  ),
  wrongBackward(
    'rnn',
    { dc_n: [[1, 1]] },
    {
      status: 400,
      type: 'invalid-request',
      at: ['/dc_n'],
      says: '/dc_n is unknown; expected one of session, forward, release, dout, dh_n',
    },
  ),
  wrongBackward(
    'linear',
    { forward: forwardWith('linear', { session: true }) },
    {
      status: 400,
      type: 'invalid-request',
      at: ['/forward/session'],
      says: '/forward/session is true; expected false',
    },
  ),
  ...[
    [null, 'null'],
    ['token', '"token"'],
    [[], 'an empty array'],
  ].map(([value, shown]) =>
    wrongBackward(
      'linear',
      { forward: value },
      {
        status: 400,
        type: 'invalid-request',
        at: ['/forward'],
        says: `/forward is ${shown as string}; expected an object`,
      },
    ),
  ),
  ...[
    [null, 'null'],
    [5, '5'],
    [false, 'false'],
    [['token'], 'an array of 1'],
    ['t'.repeat(129), `"${'t'.repeat(40)}…"`],
  ].map(([value, shown]) =>
    wrongBackward(
      'linear',
      { forward: undefined, session: value },
      {
        status: 400,
        type: 'invalid-request',
        at: ['/session'],
        says: `/session is ${shown as string}; expected a string of at most 128 characters`,
      },
    ),
  ),
];

describe('a body that does not match its schema', () => {
  it.each(wrong)('is refused by $post: $says', async (request) => {
    await expectRefused(service(), request);
  });
});

describe('the valid requests that these tests change', () => {
  it.each(layerNames)('%s works, forward and backward', async (name) => {
    await service().client.post(`/${name}/forward`).send(good[name].forward).expect(200);
    await service().client.post(`/${name}/backward`).send(backwardWith(name, {})).expect(200);
  });
});
