/**
 * Whole layers on one core, including copies, forward and backward, and the matrix product by itself, compared with the
 * plain kernels, and with PyTorch and NumPy on one thread if Debian's Python has them.
 */
import { plain } from '../src/kernels/plain/plain.js';
import type { Kernels } from '../src/kernels/kernels.js';
import type { Cache } from '../src/layers/definition.js';
import { layers } from '../src/layers/registry.js';
import { floatArray, sizeOf, type FloatDtype, type Shape, type Tensor } from '../src/tensor/tensor.js';
import { kernels } from '../src/runtime/kernels.js';
import { expectAgreement } from './agreement.js';
import { cases, type Case } from './cases.js';
import { wants, type Options } from './options.js';
import { Python } from './python.js';
import { randomTensor } from './random.js';
import { fastest, inTurn, type Rounds, type Side } from './rounds.js';
import { formatNumber, type Report } from './table.js';

const DTYPES = ['float32', 'float64'] as const satisfies readonly FloatDtype[];

type Tensors = Record<string, Tensor>;

/** The matrix product's M, N and K. */
const PRODUCT = 512;

export async function measureKernels(options: Options, report: Report): Promise<void> {
  const { rounds = 7, seconds = 0.1 } = options;
  const python = await Python.start('kernels');
  const found = Object.entries(python?.libraries ?? {}).map(([library, version]) => `${library} ${version}`);
  report({ name: 'libraries beside the kernels', says: found.join(', ') || 'neither NumPy nor PyTorch found' });
  try {
    for (const dtype of DTYPES) await product(dtype, python, options, { rounds, seconds }, report);
    for (const given of cases)
      for (const dtype of DTYPES)
        if (wants(options, `${given.name} ${dtype}`))
          await layer(given, dtype, python?.libraries.PyTorch ? python : undefined, { rounds, seconds }, report);
  } finally {
    await python?.stop();
  }
}

async function product(
  dtype: FloatDtype,
  python: Python | undefined,
  options: Options,
  rounds: Rounds,
  report: Report,
): Promise<void> {
  const name = `product ${PRODUCT}-${PRODUCT}-${PRODUCT} ${dtype}`;
  if (!wants(options, name)) return;
  const shape = [PRODUCT, PRODUCT];
  const [a, b] = [randomTensor(dtype, shape, 1), randomTensor(dtype, shape, 2)];
  const c = floatArray(dtype, PRODUCT ** 2);
  const multiply = (by: Kernels) => {
    by.matmul(a.data, b.data, c, { M: PRODUCT, N: PRODUCT, K: PRODUCT, transposeB: true });
    return c;
  };
  const expected = multiply(plain).slice();
  expectAgreement(name, multiply(kernels), expected, dtype);
  const sides = [fastest('layerd', () => multiply(kernels)), fastest('plain', () => multiply(plain))];
  if (python) {
    const request = { library: 'NumPy', dtype, ...inputsOf(python, { a, b }) };
    expectAgreement(`NumPy's ${name}`, viewOf(await python.prepare(name, request), dtype), expected, dtype);
    sides.push(python.side(`NumPy on ${blasOf(python.libraries.NumPy)}`, name, 'fastest'));
  }
  await measure(name, sides, rounds, report, { operations: 2 * PRODUCT ** 3 });
  await python?.clear();
}

async function layer(
  given: Case,
  dtype: FloatDtype,
  python: Python | undefined,
  rounds: Rounds,
  report: Report,
): Promise<void> {
  const name = `${given.name} ${dtype}`;
  const { inputs, dout, forward, infer, backward } = prepare(given, dtype);
  const [answer, expected] = [forward(kernels), forward(plain)];
  const gradients = backward(expected.cache, plain);
  expectAgreements(name, answer.outputs, expected.outputs, dtype);
  expectAgreements(name, infer(kernels), expected.outputs, dtype);
  expectAgreements(name, backward(answer.cache, kernels), gradients, dtype);

  const torch = async (direction: 'forward' | 'forward and backward'): Promise<Side[]> => {
    if (!python) return [];
    const key = `${name} ${direction}`;
    const request = { library: 'PyTorch', layer: given.layer, options: given.options, dtype, direction };
    const bytes = await python.prepare(key, { ...request, ...inputsOf(python, { ...inputs, dout }) });
    const wanted: Tensors =
      direction === 'forward'
        ? { out: expected.outputs.out }
        : Object.fromEntries(Object.keys(inputs).map((input) => [`d${input}`, gradients[`d${input}`]]));
    if (given.layer === 'dropout') expectDropped(key, viewOf(bytes, dtype), direction === 'forward' ? inputs.x : dout);
    else expectAgreements(`PyTorch's ${key}`, split(viewOf(bytes, dtype), wanted), wanted, dtype);
    // A comparison with the reference BLAS would favour layerd, so the row says which BLAS was used.
    const blas = blasOf(python.libraries.PyTorch);
    const library = /OpenBLAS|MKL/.test(blas) ? 'PyTorch' : `PyTorch on ${blas}`;
    return [python.side(library, key, 'fastest')];
  };

  const size = given.operations ? { operations: given.operations } : { elements: sizeOf(given.shapes.x) };
  const ours = fastest('layerd', () => forward(kernels));
  const sides = [
    fastest('layerd', () => infer(kernels)),
    ...(await torch('forward')),
    fastest('plain', () => forward(plain)),
  ];
  await measure(`${name}, forward`, sides, rounds, report, size);
  await measure(
    `${name}, backward`,
    [
      fastest('layerd', () => backward(answer.cache, kernels)),
      { ...ours, name: 'its forward' },
      fastest('plain', () => backward(expected.cache, plain)),
    ],
    rounds,
    report,
  );
  await measure(
    `${name}, forward and backward`,
    [
      fastest('layerd', () => backward(forward(kernels).cache, kernels)),
      ...(await torch('forward and backward')),
      fastest('plain', () => backward(forward(plain).cache, plain)),
    ],
    rounds,
    report,
  );
  await python?.clear();
}

/** One part of a library's description from bench/python/kernels.py. */
const blasOf = (description: string) => description.split(' on ')[1];

/** @param size divides the times, to make different sizes comparable */
async function measure(
  what: string,
  sides: readonly Side[],
  rounds: Rounds,
  report: Report,
  { operations, elements }: { operations?: number; elements?: number } = {},
): Promise<void> {
  const times = await inTurn(sides, rounds);
  const figures = times.map((ns, i) => ({
    name: sides[i].name,
    value: elements ? ns / elements : ns,
    more: operations ? `${formatNumber(operations / ns)} GFLOP/s` : undefined,
  }));
  report({ what, unit: elements ? 'ns a number' : 'time', layerd: figures[0], beside: figures.slice(1) });
}

export interface Prepared {
  readonly inputs: Tensors;
  readonly dout: Tensor;
  readonly forward: (by: Kernels) => { outputs: Tensors; cache: Cache };
  /** The computation of a request without a session, which PyTorch's inference mode corresponds to. */
  readonly infer: (by: Kernels) => Tensors;
  readonly backward: (cache: Cache, by: Kernels) => Tensors;
}

export function prepare({ layer: name, shapes, options }: Case, dtype: FloatDtype): Prepared {
  const layer = layers.find((candidate) => candidate.name === name);
  if (!layer) throw new Error(`no layer ${name}`);
  const scaleOf = (field: string) => (field.startsWith('weight') ? 1 / 16 : 1);
  const inputs = Object.fromEntries(
    Object.entries(shapes).map(([field, shape], i) => [field, randomTensor(dtype, shape, i + 1, scaleOf(field))]),
  );
  const plan = layer.plan(inputs, options);
  const dout = randomTensor(dtype, plan.outputs.out, 99);
  return {
    inputs,
    dout,
    forward: (by) => layer.forward(inputs, plan, by) as { outputs: Tensors; cache: Cache },
    infer: (by) => (layer.infer ? layer.infer(inputs, plan, by) : layer.forward(inputs, plan, by).outputs) as Tensors,
    backward: (cache, by) => layer.backward(cache, plan, { dout }, by) as Tensors,
  };
}

/** Only tensors are compared. Other fields, such as the seed of dropout, are equal by construction. */
function expectAgreements(name: string, actual: Tensors, expected: Tensors, dtype: FloatDtype): void {
  for (const [field, value] of Object.entries(expected))
    if (typeof value === 'object') expectAgreement(`${name}: ${field}`, actual[field].data, value.data, dtype);
}

/** PyTorch draws a different mask: half of the values must be doubled, and the others zero. */
function expectDropped(name: string, actual: Float32Array | Float64Array, from: Tensor): void {
  const kept = actual.filter((value) => value !== 0).length / actual.length;
  const right = actual.every((value, i) => value === 0 || value === 2 * from.data[i]);
  if (!right || Math.abs(kept - 0.5) > 0.01) throw new Error(`PyTorch's ${name} is no dropout of a half`);
}

/** The tensors as Python reads them: one file, and their shapes in the same order. */
function inputsOf(python: Python, tensors: Tensors): { inputs: string; shapes: Record<string, Shape> } {
  const pieces = Object.values(tensors).map(
    ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  );
  const shapes = Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));
  return { inputs: python.file('inputs', pieces), shapes };
}

function viewOf(bytes: Buffer, dtype: FloatDtype): Float32Array | Float64Array {
  const copy = new Uint8Array(bytes).buffer;
  return dtype === 'float32' ? new Float32Array(copy) : new Float64Array(copy);
}

/** Tensors with the shapes of `like`, stored one after the other. */
function split(data: Float32Array | Float64Array, like: Tensors): Tensors {
  let at = 0;
  return Object.fromEntries(
    Object.entries(like).map(([name, tensor]) => {
      const length = sizeOf(tensor.shape);
      return [name, { ...tensor, data: data.subarray(at, (at += length)) }];
    }),
  );
}
