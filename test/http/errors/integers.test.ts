/** Where an integer is expected, the literal must be one by its value, however it is written and in whichever format. */
import { describe, expect, it } from 'vitest';
import { expectProblem } from '../../support/problem.js';
import { serveAll } from '../../support/service.js';

const service = serveAll();

/** No integers, although the nearest float64 is one: 2^53 - 1 is the last that has neighbours at a distance of 1. */
const NEAR = ['9007199254740991.0000001', '1.00000000000000000001', '2e-400', '199999999999999999999e-20'];

/** One by value: zeros after the point, and an exponent that moves it behind the last digit. */
const ONE = ['1', '1.0', '1.000', '10e-1', '0.1e1', '1e0', '100000000000000000000000000000e-29'];
const ZERO = ['0', '-0', '-0.0', '0e5', '-0.000e-400'];

const json = (path: string, body: string) =>
  service()
    .client.post(`/${path}`)
    .set('content-type', 'application/json')
    .serialize(() => body)
    .send({});

function safetensors(path: string, x: string, metadata: object, numbers = 4) {
  const header = Buffer.from(`{"__metadata__":${JSON.stringify(metadata)},"x":${x}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.byteLength));
  const bytes = Buffer.concat([length, header, Buffer.alloc(8 * numbers)]);
  return service()
    .client.post(`/${path}`)
    .set({ 'content-type': 'application/vnd.safetensors', accept: 'application/json' })
    .serialize(() => bytes as unknown as string)
    .send({});
}

const F64 = '{"dtype":"F64","shape":[4],"data_offsets":[0,32]}';

const infer = (model: string, parameters: string, shape = '[4]', data = '[1,2,3,4]') =>
  service()
    .client.post(`/v2/models/${model}/infer`)
    .set('content-type', 'application/json')
    .serialize(
      () => `{"parameters":{${parameters}},"inputs":[{"name":"x","shape":${shape},"datatype":"FP64","data":${data}}]}`,
    )
    .send({});

describe('an option that is an integer', () => {
  const SEED = 'an integer from 0 to 9007199254740991';

  it.each(NEAR)('is refused in each format: %s', async (literal) => {
    expectProblem(await json('dropout', `{"x":[1],"seed":${literal}}`), {
      status: 400,
      type: 'invalid-request',
      at: ['/seed'],
      says: `/seed is ${literal}; expected ${SEED}`,
    });
    expectProblem(await json('dropout/backward', `{"forward":{"x":[1],"seed":${literal}},"dout":[1]}`), {
      status: 400,
      type: 'invalid-request',
      at: ['/forward/seed'],
      says: `/forward/seed is ${literal}; expected ${SEED}`,
    });
    expectProblem(await safetensors('dropout', F64, { seed: literal }), {
      status: 400,
      type: 'invalid-request',
      at: ['/seed'],
      says: `/seed is ${literal}; expected ${SEED}`,
    });
    const refused = await infer('dropout_forward', `"seed":${literal}`).expect(400);
    expect(refused.body).toEqual({ error: `parameter "seed" is ${literal}; expected ${SEED}` });
  });

  it.each(ONE)('is accepted however it is written: %s', async (literal) => {
    const body = { seed: 1 };
    expect((await json('dropout', `{"x":[1],"seed":${literal}}`)).body).toMatchObject(body);
    expect((await safetensors('dropout', F64, { seed: literal })).body).toMatchObject(body);
    const inferred = await infer('dropout_forward', `"seed":${literal}`).expect(200);
    expect(inferred.body).toMatchObject({ parameters: body });
  });

  it.each(ZERO)('is 0 without a sign: %s', async (literal) => {
    const { text } = await json('dropout', `{"x":[1],"session":false,"seed":${literal}}`).expect(200);
    expect(text).toMatch(/"seed":0[,}]/);
    const { text: inferred } = await infer('dropout_forward', `"session":false,"seed":${literal}`).expect(200);
    expect(inferred).toMatch(/"seed":0[,}]/);
  });

  it('may be one of several for the spatial axes, or a pair', async () => {
    const PER_AXIS = 'an integer from 1 to 2147483647, or an array of one to three of them, one for each spatial axis';
    const pool = (options: string) => json('pooling', `{"x":[[[1,2]]],"mode":"max",${options}}`);
    for (const [value, at, expected] of [
      ['1.00000000000000000001', '/kernel_size', PER_AXIS],
      ['[1.00000000000000000001]', '/kernel_size/0', 'an integer from 1 to 2147483647'],
    ])
      expectProblem(await pool(`"kernel_size":${value}`), {
        status: 400,
        type: 'invalid-request',
        at: [at],
        says: `${at} is 1.00000000000000000001; expected ${expected}`,
      });
    const padded = await pool('"kernel_size":[2.0],"stride":1,"padding":[[-0.0,1e0]]').expect(200);
    expect(padded.body).toMatchObject({ out: [[[2, 2]]] });
    await pool('"kernel_size":2,"padding":[[0,1e-400]]').expect(400);
    const inferred = await infer(
      'pooling_forward',
      '"mode":"max","kernel_size":"[1,1.00000000000000000001]"',
      '[1,1,4]',
    );
    expect([inferred.status, inferred.body]).toEqual([
      400,
      {
        error: 'parameter "kernel_size"[1] is 1.00000000000000000001; expected an integer from 1 to 2147483647',
      },
    ]);
    await safetensors('pooling', '{"dtype":"F64","shape":[1,1,4],"data_offsets":[0,32]}', {
      mode: '"max"',
      kernel_size: '[1.00000000000000000001]',
    }).expect(400);
  });
});

it('an option that is any number may be so near an integer, and is rounded once', async () => {
  for (const [epsilon, same] of [
    ['1.00000000000000000001', '1'],
    ['1e-400', '0'],
  ]) {
    const body = (value: string) => `{"x":[[1],[3]],"session":false,"epsilon":${value}}`;
    const { text } = await json('batchnorm', body(epsilon)).expect(200);
    expect(text).toBe((await json('batchnorm', body(same)).expect(200)).text);
    await safetensors('batchnorm', '{"dtype":"F64","shape":[2,2],"data_offsets":[0,32]}', { epsilon }).expect(200);
    await infer('batchnorm_forward', `"epsilon":${epsilon}`, '[2,2]').expect(200);
  }
});

describe('a tensor of integers', () => {
  const rnn = (lengths: string) =>
    json('rnn', `{"x":[[[1],[1]]],"weight_ih":[[1]],"weight_hh":[[1]],"sequence_lengths":[${lengths}]}`);

  it.each([...NEAR.slice(1), '2.000000000000000001', '1.9999999999999999999999', '1e-30', '21e-1'])(
    'is refused: %s',
    async (literal) => {
      expectProblem(await rnn(literal), {
        status: 400,
        type: 'invalid-tensor',
        at: ['/sequence_lengths/0'],
        says: `/sequence_lengths/0 is ${literal.startsWith('21') ? '2.1' : literal === '1e-30' ? '1e-30' : literal}; expected an integer`,
      });
    },
  );

  it.each(['2147483648', '1e10', '9007199254740991', '100000000000000000000.5e1', '-2147483649'])(
    'is refused beyond 32 bits: %s',
    async (literal) => {
      expectProblem(await rnn(literal), {
        status: 400,
        type: 'invalid-tensor',
        at: ['/sequence_lengths/0'],
        says: /^\/sequence_lengths\/0 is \S+; expected (a 32-bit|an) integer$/,
      });
    },
  );

  it.each([...ONE, ...ZERO, '2', '20e-1', '2.00000000000000000000000', '0.02e2'])(
    'is accepted: %s',
    async (literal) => {
      await rnn(literal).expect(200);
    },
  );
});

describe('a size in a binary format', () => {
  it.each(NEAR)('is refused: %s', async (literal) => {
    await safetensors('dropout', `{"dtype":"F64","shape":[${literal}],"data_offsets":[0,32]}`, {}).expect(400);
    await safetensors('dropout', `{"dtype":"F64","shape":[4],"data_offsets":[${literal},32]}`, {}).expect(400);
    const { text } = await infer('dropout_forward', '', `[${literal}]`, '[1]').expect(400);
    expect(text).toContain(`x has shape [${literal}]; expected`);
  });

  it('is accepted by its value', async () => {
    await safetensors('dropout', '{"dtype":"F64","shape":[4.0],"data_offsets":[-0.0,3.2e1]}', {}).expect(200);
    await infer('dropout_forward', '', '[4.0]').expect(200);
  });
});

it.each(['timeout', 'priority', 'sequence_id'])('the parameter %s is an integer by its value', async (name) => {
  const start = name === 'sequence_id' ? '"sequence_start":true,' : '';
  for (const literal of NEAR) {
    const { text } = await infer('dropout_forward', `${start}"${name}":${literal}`).expect(400);
    expect(text).toContain(`parameter \\"${name}\\" is ${literal}; expected an integer`);
  }
  await infer('dropout_forward', `${start}"${name}":10e-1`).expect(200);
});

describe('a number that is no object', () => {
  const shownAs = (literal: string, place: string) => `${place} is ${literal}; expected an object`;

  it.each([...NEAR, '1'])('is refused as it is written where an object is expected: %s', async (literal) => {
    const forward = '{"x":[1],"function":"relu"}';
    for (const [path, body, at] of [
      ['activation', literal, ''],
      ['activation/backward', literal, ''],
      ['activation/backward', `{"forward":${literal},"dout":[1]}`, '/forward'],
      ['activation/check', literal, ''],
      ['activation/check', `{"forward":${literal},"claims":{"out":[1]}}`, '/forward'],
      ['activation/check', `{"forward":${forward},"backward":${literal},"claims":{"out":[1]}}`, '/backward'],
      ['activation/check', `{"forward":${forward},"claims":${literal}}`, '/claims'],
      ['activation/check/case', literal, ''],
      ['activation/check/case', `{"options":${literal}}`, '/options'],
    ])
      expectProblem(await json(path, body), {
        status: 400,
        type: 'invalid-request',
        at: [at],
        says: shownAs(literal, at || 'the body'),
      });
    expectProblem(await service().client.get(`/activation/check/case?options=${literal}`), {
      status: 400,
      type: 'invalid-request',
      at: ['/options'],
      says: shownAs(literal, '/options'),
    });
  });

  it.each([...NEAR, '1'])('is refused as it is written in an inference request: %s', async (literal) => {
    const x = '{"name":"x","shape":[1],"datatype":"FP64","data":[1]}';
    for (const [body, place] of [
      [literal, 'the body'],
      [`{"inputs":[${literal}]}`, '/inputs/0'],
      [`{"inputs":[${x}],"outputs":[${literal}]}`, '/outputs/0'],
      [`{"inputs":[${x}],"outputs":[{"name":"out","parameters":${literal}}]}`, '/outputs/0/parameters'],
      [`{"inputs":[${x}],"parameters":${literal}}`, '/parameters'],
      [`{"inputs":[${x.replace('"data"', `"parameters":${literal},"data"`)}]}`, '/inputs/0/parameters'],
    ]) {
      const refused = await json('v2/models/activation_forward/infer', body).expect(400);
      expect(refused.body).toEqual({ error: shownAs(literal, place) });
    }
    const refused = await json('v2/repository/index', literal).expect(400);
    expect(refused.body).toEqual({ error: shownAs(literal, 'the body') });
  });
});

it.each(NEAR)('the options of a case in a query are read as in a body: %s', async (literal) => {
  const epsilon = encodeURIComponent(`{"epsilon":${literal}}`);
  const inQuery = await service().client.get(`/batchnorm/check/case?seed=1&options=${epsilon}`).expect(200);
  expect(inQuery.text).toBe((await json('batchnorm/check/case', `{"seed":1,"options":{"epsilon":${literal}}}`)).text);
  const rate = encodeURIComponent('{"rate":1e400}');
  const beyond = await service().client.get(`/dropout/check/case?options=${rate}`).expect(400);
  expect(beyond.text).toContain('/options/rate is a number beyond the range of float64; expected');
});

it('refuses a number among the arrays of an integer tensor as ragged, however it is written', async () => {
  const body = (literal: string) =>
    `{"x":[[[1],[1]]],"weight_ih":[[1]],"weight_hh":[[1]],"sequence_lengths":[[1],${literal}]}`;
  for (const literal of ['1', '1e-400'])
    expectProblem(await json('rnn', body(literal)), {
      status: 400,
      type: 'ragged-tensor',
      at: ['/sequence_lengths/1'],
      says: `/sequence_lengths/1 is ${literal}; expected an array of 1, as /sequence_lengths/0 is`,
    });
});
