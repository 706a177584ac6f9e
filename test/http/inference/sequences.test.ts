/** Sessions named by a sequence id, as Triton's clients send it: always with both flags, true or false. */
import { expect, it } from 'vitest';
import { bearer, keysFile } from '../../support/keys.js';
import {
  decode,
  encode,
  expectRefused,
  inferenceOf,
  inferring,
  inJson,
  type Inference,
  type InferenceAnswer,
  type Sent,
} from '../../support/inference.js';
import { compiled, startProcess } from '../../support/process.js';
import { describeWithRedis, sharedRedis } from '../../support/redis.js';
import { good, type LayerName } from '../../support/requests.js';
import { call, serve, serveAll } from '../../support/service.js';

type Infer = (model: string, request: Inference, headers?: Record<string, string>) => Promise<Sent>;

const of = (service: () => { url: string }): Infer => {
  const { send } = inferring(service);
  return (model, request, headers) => send(`${model}/infer`, inJson(request), headers);
};
const service = serveAll();
const infer = of(service);

type Flag = 'start' | 'end';
const sequence = (id: unknown, ...flags: Flag[]) => ({
  sequence_id: id,
  sequence_start: flags.includes('start'),
  sequence_end: flags.includes('end'),
});

function request(layer: LayerName, direction: 'forward' | 'backward', parameters: object, scale = 1): Inference {
  const { inputs, ...rest } = inferenceOf(layer, good[layer][direction], 'float64');
  const scaled = inputs.map((input) =>
    input.name === 'weight'
      ? { ...input, data: (input.data as number[][]).map((row) => row.map((w) => w * scale)) }
      : input,
  );
  return { inputs: scaled, parameters: { ...rest.parameters, ...parameters } };
}

const forward = (id: unknown, scale = 1, ...flags: Flag[]) =>
  request('linear', 'forward', sequence(id, 'start', ...flags), scale);
const backward = (id: unknown, ...flags: Flag[]) => request('linear', 'backward', sequence(id, ...flags));

function read({ status, bytes }: Sent): InferenceAnswer {
  expect(status, bytes.toString()).toBe(200);
  return decode(bytes, null);
}

const gradients = (sent: Sent) => read(sent).outputs.map(({ name, numbers }) => [name, numbers]);

/** The gradients of a session named by its token, with the weight times `scale`. */
async function expected(scale = 1): Promise<unknown> {
  const weight = good.linear.forward.weight.map((row) => row.map((w) => w * scale));
  const answer = await call(service(), 'linear/backward', {
    forward: { ...good.linear.forward, weight },
    ...good.linear.backward,
  });
  return Object.entries(answer).map(([name, values]) => [name, (values as unknown[]).flat()]);
}

const gone = (sent: Sent, id: string) =>
  expectRefused(sent, {
    status: 404,
    type: 'unknown-session',
    says: new RegExp(`^there is no sequence ${id}; a session expires \\d+ s after its last use`),
    at: ['/parameters/sequence_id'],
  });

it.each([[7], ['7'], ['e333c95a-07fc-42d2-ab16-033b1a566ed5'], ['[{}]'], [2 ** 53 - 1]])(
  'starts with forward, serves backward, and ends with it: %j',
  async (id) => {
    const started = read(await infer('linear_forward', forward(id)));
    expect(started).not.toHaveProperty('parameters');
    for (const flags of [[], [], ['end']] as Flag[][])
      expect(gradients(await infer('linear_backward', backward(id, ...flags)))).toEqual(await expected());
    await gone(await infer('linear_backward', backward(id)), JSON.stringify(id).replaceAll(/[[\]{}]/g, '\\$&'));
  },
);

it('distinguishes a numeric id from the same id as a string', async () => {
  read(await infer('linear_forward', forward(40)));
  read(await infer('linear_forward', forward('40', 2)));
  expect(gradients(await infer('linear_backward', backward(40)))).toEqual(await expected());
  expect(gradients(await infer('linear_backward', backward('40', 'end')))).toEqual(await expected(2));
  expect(gradients(await infer('linear_backward', backward(40, 'end')))).toEqual(await expected());
});

it('is replaced if it is started again, and its previous session is deleted', async () => {
  const { client } = service();
  const held = async () => /^layerd_sessions (\d+)$/m.exec((await client.get('/metrics')).text)?.[1];
  read(await infer('linear_forward', forward(8)));
  const before = await held();
  read(await infer('linear_forward', forward(8, 3)));
  expect(await held()).toBe(before);
  expect(gradients(await infer('linear_backward', backward(8, 'end')))).toEqual(await expected(3));
  expect(Number(await held())).toBe(Number(before) - 1);
});

it('keeps no session for a sequence of one request, which also ends an earlier sequence with its id', async () => {
  read(await infer('linear_forward', forward(9)));
  read(await infer('linear_forward', forward(9, 1, 'end')));
  await gone(await infer('linear_backward', backward(9)), '9');
});

it('belongs to one layer', async () => {
  read(await infer('linear_forward', forward(10)));
  await expectRefused(await infer('dropout_backward', request('dropout', 'backward', sequence(10))), {
    status: 409,
    type: 'session-of-another-layer',
    says: 'the sequence 10 belongs to linear; expected a sequence of dropout. Post it to the model linear_backward',
    at: ['/parameters/sequence_id'],
  });
  read(await infer('linear_backward', backward(10, 'end')));
});

it('expires as long after its last use as other sessions', async () => {
  const own = await serve({ SESSION_TTL_SECONDS: '60' });
  const ask = of(() => own);
  read(await ask('linear_forward', forward(11)));
  for (let i = 0; i < 3; i++) {
    own.clock.advance(59);
    read(await ask('linear_backward', backward(11)));
  }
  own.clock.advance(60);
  await gone(await ask('linear_backward', backward(11)), '11');
});

it('never leads to a session of another key, or to one that was not created for a sequence', async () => {
  const { path, keys } = keysFile('a', 'b');
  const own = await serve({ API_KEYS_FILE: path });
  const ask = of(() => own);
  read(await ask('linear_forward', forward(12), bearer(keys.a)));
  await gone(await ask('linear_backward', backward(12), bearer(keys.b)), '12');
  read(await ask('linear_forward', forward(12, 2), bearer(keys.b)));
  expect(gradients(await ask('linear_backward', backward(12), bearer(keys.a)))).toEqual(await expected());
  expect(gradients(await ask('linear_backward', backward(12), bearer(keys.b)))).toEqual(await expected(2));
  const { session } = await call(service(), 'linear', good.linear.forward);
  await gone(await infer('linear_backward', backward(session)), JSON.stringify(session));
});

it.each<[string, string, object, string, string]>([
  [
    'forward',
    'that does not start it',
    sequence(13),
    'parameter "sequence_start" is false; expected true with a sequence_id, because each forward request starts its sequence anew',
    'sequence_start',
  ],
  [
    'forward',
    'without a session',
    { ...sequence(13, 'start'), session: false },
    'parameter "session" is false; expected true or none, because the request starts a sequence',
    'session',
  ],
  [
    'backward',
    'that starts it',
    sequence(13, 'start'),
    'parameter "sequence_start" is true; expected false, because forward starts a sequence',
    'sequence_start',
  ],
  [
    'backward',
    'with a token',
    { ...sequence(13), session: 'a' },
    'parameter "session" is "a"; expected none, because the sequence_id names the session',
    'session',
  ],
  [
    'forward',
    'of id 0',
    sequence(0, 'start'),
    'parameter "sequence_id" is 0; expected the id of the sequence, not 0 or ""',
    'sequence_id',
  ],
  [
    'backward',
    'without an id',
    { sequence_end: true },
    'parameter "sequence_id" is missing; expected the id of the sequence, not 0 or ""',
    'sequence_id',
  ],
  [
    'forward',
    'of an id that JSON readers round',
    sequence(2 ** 53, 'start'),
    'parameter "sequence_id" is 9007199254740992; expected an integer from 1 to 9007199254740991, or a string of at most 128 characters',
    'sequence_id',
  ],
  [
    'forward',
    'of a fraction',
    sequence(1.5, 'start'),
    'parameter "sequence_id" is 1.5; expected an integer from 1 to 9007199254740991, or a string of at most 128 characters',
    'sequence_id',
  ],
  [
    'forward',
    'with a flag that is none',
    { sequence_id: 1, sequence_start: 1 },
    'parameter "sequence_start" is 1; expected true or false',
    'sequence_start',
  ],
  [
    'forward',
    'with a timeout that is none',
    { timeout: '5' },
    'parameter "timeout" is "5"; expected an integer, at least 0',
    'timeout',
  ],
  [
    'forward',
    'with a priority below 0',
    { priority: -1 },
    'parameter "priority" is -1; expected an integer, at least 0',
    'priority',
  ],
] as const)('refuses %s %s', async (direction, _what, parameters, says, at) => {
  const sent = await infer(`linear_${direction}`, request('linear', direction as 'forward', parameters));
  await expectRefused(sent, { status: 400, type: 'invalid-request', says, at: [`/parameters/${at}`] });
});

it('accepts timeout and priority as hints, and an id of 0 as no id', async () => {
  const hints = { timeout: 5_000_000, priority: 2 ** 64, sequence_id: 0, sequence_start: false };
  const answer = read(await infer('linear_forward', request('linear', 'forward', hints)));
  expect(answer.parameters?.session).toMatch(/^[\w-]{22,}$/);
});

describeWithRedis('over Redis', () => {
  const redis = sharedRedis();

  it('is shared by all replicas', async () => {
    const replicas = await Promise.all([0, 1].map(() => serve({ SESSION_STORE: redis().url })));
    const [first, second] = replicas.map((replica) => of(() => replica));
    read(await first('linear_forward', forward(14)));
    expect(gradients(await second('linear_backward', backward(14)))).toEqual(await expected());
    read(await second('linear_forward', forward(14, 2)));
    expect(await redis().admin.keys('layerd:session:*')).toHaveLength(1);
    expect(gradients(await first('linear_backward', backward(14, 'end')))).toEqual(await expected(2));
    await gone(await second('linear_backward', backward(14)), '14');
    expect(await redis().admin.keys('layerd:*')).toEqual([]);
  });
});

const entry = compiled();
it('is shared by all processes of a service and their threads', async () => {
  const { port } = await startProcess(entry(), { PROCESSES: '2', WORKERS: '1', EVENT_LOOP_DELAY_LIMIT_MS: '0' });
  const url = `http://127.0.0.1:${port}`;
  const { send } = inferring(() => ({ url }));
  // Large enough for a thread: 2 · 256³ operations.
  const size = 256;
  const square = (name: string, value: number) => ({
    name,
    shape: [size, size],
    datatype: 'FP32',
    data: Array<number>(size * size).fill(value),
  });
  const ask = async (model: string, inputs: Inference['inputs'], parameters: object) => {
    const request = { inputs, parameters: { ...parameters, binary_data_output: true } };
    // Each on a new connection, so that either process may answer.
    const sent = await send(
      `${model}/infer`,
      encode(request, () => 'binary'),
      { connection: 'close' },
    );
    expect(sent.status, sent.bytes.toString('latin1', 0, 300)).toBe(200);
    return decode(sent.bytes, sent.headers.get('inference-header-content-length'));
  };
  const ids = Array.from({ length: 6 }, (_, i) => `sequence ${i}`);
  await Promise.all(
    ids.map((id, i) => ask('linear_forward', [square('x', 1), square('weight', i + 1)], sequence(id, 'start'))),
  );
  const answers = await Promise.all(ids.map((id) => ask('linear_backward', [square('dout', 1)], sequence(id, 'end'))));
  // dx = dout · weight: sums of 256 equal weights.
  answers.forEach(({ outputs }, i) => {
    expect(outputs[0].name).toBe('dx');
    expect(new Set(outputs[0].numbers)).toEqual(new Set([size * (i + 1)]));
  });
});
