/**
 * How long whole layers take on one core, forward and backward, beside PyTorch's on one thread where /usr/bin/python3
 * has it. `node dist/bench/kernels.js [part of a case's name]`, after `npm run build`.
 *
 * Nothing is timed before its answers agree with the plain kernels'. A figure is the median, over rounds in which the
 * two take turns, of a round's fastest call, so that what else the machine does tells as little as it can.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { plain } from '../src/kernels/plain/plain.js';
import { wasmKernels } from '../src/kernels/wasm/wasm.js';
import type { Cache } from '../src/layers/definition.js';
import { layers } from '../src/layers/registry.js';
import { bestBuild, compileModule } from '../src/wasm/module.js';
import { floatArray, sizeOf, tensor, type FloatDtype, type Tensor } from '../src/tensor/tensor.js';

const ROUNDS = 7;
/** Of each side in each round. */
const SECONDS = 0.1;

interface Case {
  /** As bench/kernels.py reads it. */
  readonly name: string;
  readonly layer: string;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly options: Readonly<Record<string, unknown>>;
  /** Floating-point operations of forward, where that is the measure; else a figure is given for each element of x. */
  readonly operations?: number;
}

function recurrent(layer: 'lstm' | 'rnn', T: number, N: number, I: number, H: number): Case {
  const R = layer === 'lstm' ? 4 * H : H;
  const shapes = { x: [N, T, I], weight_ih: [R, I], weight_hh: [R, H], bias_ih: [R], bias_hh: [R] };
  const options = { direction: 'forward', time_major: false, ...(layer === 'rnn' ? { nonlinearity: 'tanh' } : {}) };
  return { name: `${layer}-${T}-${N}-${I}-${H}`, layer, shapes, options, operations: 2 * N * T * R * (I + H) };
}

function convolution(N: number, C: number, S: number, O: number): Case {
  const options = { stride: 1, padding: 1, dilation: 1, groups: 1, transposed: false, output_padding: 0 };
  const shapes = { x: [N, C, S, S], weight: [O, C, 3, 3], bias: [O] };
  const operations = 2 * N * O * S * S * C * 9;
  return { name: `convolution-${N}-${C}-${S}-${O}`, layer: 'convolution', shapes, options, operations };
}

function linear(N: number, I: number, O: number): Case {
  const shapes = { x: [N, I], weight: [O, I] };
  return { name: `matmul-${N}-${I}-${O}`, layer: 'linear', shapes, options: {}, operations: 2 * N * I * O };
}

function batchnorm(N: number, C: number): Case {
  const shapes = { x: [N, C], gamma: [C], beta: [C] };
  const options = { training: true, epsilon: 1e-8, momentum: 0.1 };
  return { name: `batchnorm-${N}-${C}`, layer: 'batchnorm', shapes, options };
}

function pooling(mode: 'max' | 'average', ...x: number[]): Case {
  const options = {
    ...{ mode, kernel_size: 2, padding: 0, dilation: 1 },
    ...{ ceil_mode: false, count_include_pad: true, return_indices: false },
  };
  return { name: `${mode}pool-${x.join('-')}`, layer: 'pooling', shapes: { x }, options };
}

function dropout(...x: number[]): Case {
  const options = { rate: 0.5, training: true, scaling: 'inverted', seed: 7 };
  return { name: `dropout-${x.join('-')}`, layer: 'dropout', shapes: { x }, options };
}

const cases: readonly Case[] = [
  linear(512, 512, 512),
  linear(64, 256, 256),
  linear(1, 3, 2),
  convolution(8, 64, 32, 64),
  convolution(8, 3, 32, 16),
  recurrent('lstm', 50, 32, 128, 256),
  recurrent('lstm', 20, 4, 8, 16),
  recurrent('rnn', 50, 32, 128, 256),
  recurrent('rnn', 20, 4, 8, 16),
  batchnorm(4096, 512),
  batchnorm(1024, 256),
  batchnorm(64, 64),
  pooling('max', 16, 64, 64, 64),
  pooling('average', 16, 64, 64, 64),
  dropout(1024, 256),
];

/** Between -1 and 1; Math.random would do, but not be the same from run to run. */
function randomTensor(dtype: FloatDtype, shape: readonly number[], scale: number): Tensor {
  const data = floatArray(dtype, sizeOf(shape));
  let state = 12345;
  for (let i = 0; i < data.length; i++) {
    // Numerical Recipes' linear congruential generator.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = (state / 2 ** 31 - 1) * scale;
  }
  return tensor(shape, data);
}

interface Prepared {
  readonly forward: (kernels: typeof plain) => { outputs: object; cache: Cache };
  /** What a request without a session computes, and what PyTorch does in its inference mode. */
  readonly infer: (kernels: typeof plain) => object;
  readonly backward: (cache: Cache, kernels: typeof plain) => object;
}

function prepare({ layer: name, shapes, options }: Case, dtype: FloatDtype): Prepared {
  const layer = layers.find((candidate) => candidate.name === name);
  if (!layer) throw new Error(`no layer ${name}`);
  const scaleOf = (field: string) => (field.startsWith('weight') ? 1 / 16 : 1);
  const inputs = Object.fromEntries(
    Object.entries(shapes).map(([field, shape]) => [field, randomTensor(dtype, shape, scaleOf(field))]),
  );
  const plan = layer.plan(inputs, options);
  const dout = randomTensor(dtype, plan.outputs.out, 1);
  return {
    forward: (kernels) => layer.forward(inputs, plan, kernels),
    infer: (kernels) => (layer.infer ? layer.infer(inputs, plan, kernels) : layer.forward(inputs, plan, kernels)),
    backward: (cache, kernels) => layer.backward(cache, plan, { dout }, kernels),
  };
}

/** @throws where an answer differs from the plain kernels' by more than rounding */
function expectAgreement(answer: object, expected: object, dtype: FloatDtype, name: string): void {
  const tolerance = dtype === 'float64' ? 1e-10 : 1e-4;
  for (const [field, value] of Object.entries(expected)) {
    if (typeof value !== 'object') continue;
    const [actual, wanted] = [(answer as Record<string, Tensor>)[field].data, (value as Tensor).data];
    let largest = 1e-3;
    let worst = 0;
    for (let i = 0; i < wanted.length; i++) {
      largest = Math.max(largest, Math.abs(wanted[i]));
      worst = Math.max(worst, Math.abs(wanted[i] - actual[i]));
    }
    if (!(worst <= tolerance * largest))
      throw new Error(`${name}: ${field} is off by ${worst}, of values up to ${largest}`);
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** The fastest of the calls that fit into a round. */
function timed(run: () => unknown): number {
  let fastest = Infinity;
  const end = performance.now() + SECONDS * 1e3;
  for (let calls = 0; calls < 3 || performance.now() < end; calls++) {
    const start = performance.now();
    run();
    fastest = Math.min(fastest, performance.now() - start);
  }
  return fastest;
}

/** Asks the Python side for a time; `undefined` where there is no PyTorch. */
async function startTorch() {
  const script = fileURLToPath(new URL('../../bench/kernels.py', import.meta.url));
  const env = { ...process.env, OPENBLAS_NUM_THREADS: '1', OMP_NUM_THREADS: '1' };
  const child = spawn('/usr/bin/python3', ['-B', script], { env, stdio: ['pipe', 'pipe', 'ignore'] });
  child.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const version = await lines.next();
  if (version.done) return undefined;
  return {
    version: version.value,
    async time(name: string, dtype: FloatDtype, direction: string): Promise<number> {
      child.stdin.write(`${name} ${dtype} ${direction} ${SECONDS}\n`);
      return Number((await lines.next()).value);
    },
    async stop() {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}

const only = process.argv[2] ?? '';
const wasm = wasmKernels(compileModule('kernels'));
const torch = await startTorch();
console.log(`Node.js ${process.version}, build ${bestBuild('kernels')}; PyTorch ${torch?.version ?? 'not found'}`);
console.log(
  `${'forward, and forward + backward'.padEnd(34)}${'ms'.padStart(9)}${'rate'.padStart(14)}${'PyTorch'.padStart(9)}${'ratio'.padStart(7)}${'ms'.padStart(10)}${'PyTorch'.padStart(9)}${'ratio'.padStart(7)}${'back'.padStart(7)}`,
);
for (const given of cases.filter(({ name }) => name.includes(only)))
  for (const dtype of ['float32', 'float64'] as const) {
    const { forward, infer, backward } = prepare(given, dtype);
    const [answer, expected] = [forward(wasm), forward(plain)];
    expectAgreement(answer.outputs, expected.outputs, dtype, given.name);
    expectAgreement(backward(answer.cache, wasm), backward(expected.cache, plain), dtype, given.name);
    const [ours, theirs, bothOurs, bothTheirs]: number[][] = [[], [], [], []];
    for (let round = 0; round < ROUNDS; round++) {
      ours.push(timed(() => infer(wasm)));
      if (torch) theirs.push(await torch.time(given.name, dtype, 'forward'));
      bothOurs.push(timed(() => backward(forward(wasm).cache, wasm)));
      if (torch) bothTheirs.push(await torch.time(given.name, dtype, 'both'));
    }
    const [ms, both] = [median(ours), median(bothOurs)];
    const rate = given.operations
      ? `${(given.operations / ms / 1e6).toFixed(1)} GFLOP/s`
      : `${((ms * 1e6) / sizeOf(given.shapes.x)).toFixed(2)} ns`;
    const beside = (mine: number, others: number[]) =>
      torch ? `${median(others).toFixed(3).padStart(9)}${(mine / median(others)).toFixed(2).padStart(7)}` : '';
    console.log(
      `${`${given.name} ${dtype}`.padEnd(34)}${ms.toFixed(3).padStart(9)}${rate.padStart(14)}${beside(ms, theirs)}` +
        `${both.toFixed(3).padStart(10)}${beside(both, bothTheirs)}${((both - ms) / ms).toFixed(2).padStart(7)}`,
    );
  }
await torch?.stop();
