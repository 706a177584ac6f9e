/**
 * The cost per number from the bytes of a request to the bytes of its answer, by matrix size: batchnorm forward in
 * float64, in this process, over HTTP on this machine, and with common alternatives. bench/cost.svg shows the result.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { codecs, type MediaType } from '../src/codec/codecs.js';
import { Calls } from '../src/calls/calls.js';
import { drawInteger } from '../src/calls/draw.js';
import { plain } from '../src/kernels/plain/plain.js';
import { batchnorm } from '../src/layers/batchnorm.js';
import { MemoryStore } from '../src/sessions/memory-store.js';
import { SequencedSessions } from '../src/sessions/sequences.js';
import { tensor, type Shape } from '../src/tensor/tensor.js';
import { kernels } from '../src/runtime/kernels.js';
import { expectAgreement } from './agreement.js';
import { nested } from './codec.js';
import { describeMachine } from './machine.js';
import { wants, type Options } from './options.js';
import { plot, type Series } from './plot.js';
import { post } from './post.js';
import { Python } from './python.js';
import { randomTensor } from './random.js';
import { average, inTurn, median, type Side } from './rounds.js';
import { withService } from './service.js';
import type { Report } from './table.js';

const FILE = fileURLToPath(new URL('../../bench/cost.svg', import.meta.url));

const shapes: readonly Shape[] = [
  [8, 8],
  [16, 16],
  [32, 32],
  [64, 64],
  [256, 256],
  [1024, 256],
  [4096, 1024],
];

/** The last shape is 83 MB of JSON. */
const VARIABLES = { BODY_LIMIT_BYTES: String(256 * 2 ** 20) };

const OPTIONS = { training: true, epsilon: 1e-8, momentum: 0.1 };

const sessions = new SequencedSessions(new MemoryStore({ ttlMs: 1000, budgetBytes: 0 }));
const calls = new Calls([batchnorm], {
  kernels,
  limits: { operations: Infinity, resultBytes: Infinity },
  sessions,
  tokens: sessions.tokens,
  draw: drawInteger,
});

const call = (type: MediaType, body: Buffer) =>
  calls.run({ layer: 'batchnorm', direction: 'forward', contentType: type, accept: type, body });

/** The obvious implementation, with `JSON.parse` and the plain kernels. */
function answerPlainly(body: Buffer): Buffer {
  const request = JSON.parse(body.toString('utf8')) as { x: number[][]; gamma: number[]; beta: number[] };
  const shape = [request.x.length, request.x[0].length];
  const x = tensor(shape, Float64Array.from(request.x.flat()));
  const [gamma, beta] = [request.gamma, request.beta].map((list) => tensor([shape[1]], Float64Array.from(list)));
  const { outputs } = batchnorm.forward({ x, gamma, beta }, batchnorm.plan({ x, gamma, beta }, OPTIONS), plain);
  const { out, mean, var: variance } = outputs;
  return Buffer.from(JSON.stringify({ out: nested(shape, out.data), mean: [...mean.data], var: [...variance.data] }));
}

export async function cost(options: Options, report: Report): Promise<void> {
  const python = await Python.start('cost');
  const costs = new Map<string, [number, number][]>();
  try {
    await withService(VARIABLES, async (url) => {
      for (const shape of shapes) {
        const name = `from bytes to bytes ${shape.join(' × ')}`;
        if (!wants(options, name)) continue;
        const size = shape[0] * shape[1];
        const sides = await sidesOf(shape, python, url);
        const { rounds = 5, seconds = 0.2 } = options;
        await inTurn(sides, { rounds: 1, seconds });
        const figures = (await inTurn(sides, { rounds, seconds })).map((ns, i) => ({
          name: sides[i].name,
          value: ns / size,
        }));
        for (const { name, value } of figures) costs.set(name, [...(costs.get(name) ?? []), [size, value]]);
        report({ what: name, unit: 'ns a number', layerd: figures[0], beside: figures.slice(1) });
      }
    });
  } finally {
    await python?.stop();
  }
  // Without all sizes, there is no plot.
  if (options.only.length > 0) return;
  const series = [...costs].map(([name, points]): Series => {
    const inProcess = [...costs.keys()].indexOf(name.replace(' over HTTP', ''));
    return { name, points, colour: inProcess, dashed: name.includes(' over HTTP') };
  });
  writeFileSync(
    FILE,
    plot({
      title: 'What a number costs',
      subtitle:
        'Batchnorm in float64, from the bytes of a request to the bytes of its answer; each number is read and written',
      x: { title: 'matrix', ticks: shapes.map((shape) => [shape[0] * shape[1], shape.join('×')]) },
      y: { title: 'nanoseconds a number' },
      series,
      origin: describeMachine(),
    }),
  );
}

/** The first side is layerd in this process, with JSON. */
async function sidesOf(shape: Shape, python: Python | undefined, url: string): Promise<Side[]> {
  const x = randomTensor('float64', shape, 1);
  const [gamma, beta] = [randomTensor('float64', [shape[1]], 2), randomTensor('float64', [shape[1]], 3)];
  const bytesOf = (type: MediaType) => Buffer.concat(codecs[type].encode({ x, gamma, beta, session: false }));
  const [json, binary] = [bytesOf('application/json'), bytesOf('application/vnd.safetensors')];
  const expected = batchnorm.forward({ x, gamma, beta }, batchnorm.plan({ x, gamma, beta }, OPTIONS), plain).outputs;
  const expectAnswer = (name: string, bytes: Buffer, type: MediaType = 'application/json') => {
    const body = codecs[type].decode(bytes, { out: true, mean: true, var: true });
    for (const field of ['out', 'mean', 'var'] as const)
      expectAgreement(`${name}: ${field}`, body.floats([field], 'float64').data, expected[field].data, 'float64');
  };

  const sides: Side[] = [];
  for (const [name, type, body] of [
    ['layerd, JSON', 'application/json', json],
    ['layerd, safetensors', 'application/vnd.safetensors', binary],
  ] as const) {
    expectAnswer(name, Buffer.concat((await call(type, body)).pieces), type);
    sides.push(averageOf(name, () => call(type, body)));
  }
  expectAnswer('plain', answerPlainly(json));
  sides.push(average('V8’s JSON, plain kernels', () => answerPlainly(json)));
  for (const [library, version] of Object.entries(python?.libraries ?? {})) {
    const name = `${library} with ${version.split(' with ')[1]}`;
    const request = { library, body: python?.file('body', [json]) };
    if (python) expectAnswer(name, await python.prepare(name, request));
    if (python) sides.push(python.side(name, name, 'average'));
  }
  for (const [name, type, body] of [
    ['layerd over HTTP, JSON', 'application/json', json],
    ['layerd over HTTP, safetensors', 'application/vnd.safetensors', binary],
  ] as const) {
    const request = { path: '/batchnorm/forward', type, body };
    const response = await fetch(url + request.path, { method: 'POST', headers: { 'content-type': type }, body });
    expectAnswer(name, Buffer.from(await response.arrayBuffer()), type);
    sides.push({ name, time: async (seconds) => median(await post(url, request, 1, seconds)) * 1e6 });
  }
  return sides;
}

/** The mean of a round of asynchronous calls. */
function averageOf(name: string, run: () => Promise<unknown>): Side {
  return {
    name,
    async time(seconds) {
      const start = performance.now();
      let calls = 0;
      do {
        await run();
        calls++;
      } while (performance.now() - start < seconds * 1000);
      return ((performance.now() - start) * 1e6) / calls;
    },
  };
}
