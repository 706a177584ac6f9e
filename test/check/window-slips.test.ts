/** Slips in where windows lie, in how their elements are counted, and in the channels of groups. */
import { describe, expect, it } from 'vitest';
import { check } from '../../src/check/check.js';
import type { Checks } from '../../src/check/definition.js';
import { allChecks } from '../../src/check/registry.js';
import { formulas } from '../../src/formulas/layers/registry.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { Instance, Options, Tensors } from '../../src/layers/instance.js';
import { sizeOf, tensor, type Shape, type Tensor } from '../../src/tensor/tensor.js';
import { applyDefaults } from '../../src/validation/validate.js';
import { randomNumbers } from '../support/random.js';
import { atScale } from '../support/scale.js';
import { answersOf, eachInstance } from './instances.js';
import { absentIn } from './sentences.js';

function checksOf(name: string): Checks {
  const found = allChecks.find(({ layer }) => layer.name === name);
  if (!found) throw new Error(`no checks of ${name}`);
  return found;
}

function instanceOf(name: string, inputs: Record<string, Shape | Tensor>, given: Options): Instance {
  const { layer } = checksOf(name);
  const options: Record<string, unknown> = { ...given };
  applyDefaults(layer.schemas.options, options);
  const numbers = randomNumbers(7);
  const drawn = Object.fromEntries(
    Object.entries(inputs).map(([input, value]) => [input, 'data' in value ? value : numbers.tensor(value)]),
  );
  const { outputs } = layer.plan(drawn, options);
  return { inputs: drawn, options, upstream: { dout: numbers.tensor(outputs.out) }, drawn: {} };
}

function diagnoses(name: string, instance: Instance, claims: Tensors) {
  const { tensors } = check(checksOf(name), instance, claims, { dtype: 'float64', kernels: plain, pairs: () => 0 });
  return Object.fromEntries(Object.entries(tensors).map(([claimed, { diagnosis }]) => [claimed, diagnosis]));
}

/** The first explanation of a claim, next to right claims of everything else. */
function explained(name: string, instance: Instance, claims: Tensors): string[] {
  const found = diagnoses(name, instance, { ...answersOf(checksOf(name), instance), ...claims });
  return Object.keys(claims).map((claimed) => found[claimed].at(0)?.explanation ?? '');
}

/** The indices of each element of a plane. */
const placesOf = (shape: Shape): number[][] =>
  shape.reduce<number[][]>(
    (all, size) => all.flatMap((place) => Array.from({ length: size }, (_, i) => [...place, i])),
    [[]],
  );

const flat = (place: readonly number[], shape: Shape) => place.reduce((at, index, axis) => at * shape[axis] + index, 0);

type Position = (p: number, k: number, axis: number) => number;

/** Visits the taps of one plane: the place that tap k of window p sees, if it is inside. */
function eachTap(
  { plane, windows, kernel }: Record<'plane' | 'windows' | 'kernel', Shape>,
  position: Position,
  visit: (p: number, k: number, place: number) => void,
): void {
  for (const p of placesOf(windows))
    for (const k of placesOf(kernel)) {
      const place = p.map((index, axis) => position(index, k[axis], axis));
      const isInside = place.every((index, axis) => index >= 0 && index < plane[axis]);
      if (isInside) visit(flat(p, windows), flat(k, kernel), flat(place, plane));
    }
}

/** A transposed convolution of one sample and one channel. */
function spread({ inputs: { x, weight } }: Instance, plane: Shape, position: Position): Tensor {
  const out = new Float64Array(sizeOf(plane));
  const [windows, kernel] = [x.shape.slice(2), weight.shape.slice(2)];
  eachTap({ plane, windows, kernel }, position, (p, k, place) => (out[place] += x.data[p] * weight.data[k]));
  return tensor([1, 1, ...plane], out);
}

/** A convolution of one sample and one channel, and its gradients. */
function slid({ inputs: { x, weight }, upstream: { dout } }: Instance, position: Position) {
  const [plane, windows, kernel] = [x, dout, weight].map(({ shape }) => shape.slice(2));
  const [out, dx, dweight] = [dout, x, weight].map(({ data }) => new Float64Array(data.length));
  eachTap({ plane, windows, kernel }, position, (p, k, place) => {
    out[p] += x.data[place] * weight.data[k];
    dx[place] += dout.data[p] * weight.data[k];
    dweight[k] += dout.data[p] * x.data[place];
  });
  return { out: tensor(dout.shape, out), dx: tensor(x.shape, dx), dweight: tensor(weight.shape, dweight) };
}

describe('stride and dilation exchanged in a transposed convolution', () => {
  const [stride, dilation] = [3, 2];
  const instance = instanceOf(
    'convolution',
    { x: [1, 1, 4, 3], weight: [1, 1, 2, 3] },
    { transposed: true, stride, dilation },
  );
  const position: Position = (p, k) => p * dilation + k * stride;

  it('is named if out has the size that follows', () => {
    const out = spread(instance, [10, 11], position);
    const [first] = diagnoses('convolution', instance, { out }).out;
    expect(first).toEqual({
      id: 'stride_and_dilation_exchanged',
      explanation: 'stride and dilation were exchanged, also in the size of out.',
      fix: 'stride is the step from window to window, dilation the step from tap to tap',
    });
  });

  it('is named if out has the right size', () => {
    const out = spread(instance, [12, 11], position);
    expect(explained('convolution', instance, { out })).toEqual([
      'In the position of tap k of element p of x (p · stride + k · dilation), the stride and the dilation are exchanged. This applies only to out[from, at] += x · weight.',
    ]);
    const along1 = spread(instance, [12, 11], (p, k, axis) =>
      axis === 1 ? position(p, k, 1) : p * stride + k * dilation,
    );
    expect(explained('convolution', instance, { out: along1 })[0]).toContain(
      'the stride and the dilation of spatial axis 1 are exchanged',
    );
  });

  it('does not mention a dilation of 1', () => {
    const undilated = instanceOf('convolution', { x: [1, 1, 4], weight: [1, 1, 2] }, { transposed: true, stride });
    const out = spread(undilated, [11], (p, k) => p + k * stride);
    expect(explained('convolution', undilated, { out })[0]).toBe(
      'In the position of tap k of element p of x (p · stride + k), k is multiplied by the stride, and p is not. This applies only to out[from, at] += x · weight.',
    );
  });
});

describe('equal values in max pooling', () => {
  // The first maximum is another one in rows, in columns and from the end.
  const plane = [0, 5, 5, 0, 5, 1, 0, 5, 0, 2, 5, 0, 5, 0, 1, 5];
  const x = tensor([1, 1, 4, 4], Float64Array.from(plane));
  const instance = instanceOf('pooling', { x }, { mode: 'max', kernel_size: 2, stride: 1, return_indices: true });
  const winners = (order: readonly (readonly [number, number])[]) => {
    const indices = placesOf([3, 3]).map(([i, j]) => {
      const taps = order.map(([r, c]) => (i + r) * 4 + j + c);
      return taps.reduce((best, place) => (plane[place] > plane[best] ? place : best));
    });
    const dx = new Float64Array(16);
    indices.forEach((place, p) => (dx[place] += instance.upstream.dout.data[p]));
    return { indices: tensor([1, 1, 3, 3], Int32Array.from(indices)), dx: tensor([1, 1, 4, 4], dx) };
  };
  const rows = [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ] as const;

  it('are right in row-major order', () => {
    const { indices, dx } = winners(rows);
    expect(diagnoses('pooling', instance, { indices, dx })).toEqual({ indices: [], dx: [] });
  });

  it('are named if they are resolved in column order', () => {
    const columns = rows.map(([r, c]) => [c, r] as const);
    for (const text of explained('pooling', instance, winners(columns)))
      expect(text).toBe('Of equal values, the first one was taken when the window is walked column by column.');
  });

  it('are named if the last one is taken', () => {
    for (const text of explained('pooling', instance, winners(rows.toReversed())))
      expect(text).toContain('the last of equal values was taken instead of the first of them');
  });
});

describe('a slip in the positions of windows', () => {
  const instance = instanceOf(
    'convolution',
    { x: [1, 1, 6, 7], weight: [1, 1, 3, 3] },
    {
      stride: 2,
      padding: [
        [1, 2],
        [2, 1],
      ],
    },
  );
  const before = [1, 2];
  const right: Position = (p, k, axis) => p * 2 + k - before[axis];
  const size = [6, 7];

  it('is absent from a right answer', () => {
    expect(diagnoses('convolution', instance, slid(instance, right))).toEqual({ out: [], dx: [], dweight: [] });
  });

  it('in all formulas is named without them, in some with them', () => {
    const unpadded = slid(instance, (p, k) => p * 2 + k);
    const wrong =
      'In the position of tap k of window p (p · stride + k − padding), the padding is missing: it is taken to be 0.';
    expect(new Set(explained('convolution', instance, unpadded))).toEqual(new Set([wrong]));
    const { dx, dweight } = unpadded;
    expect(explained('convolution', instance, { dx, dweight })).toEqual(
      Array(2).fill(
        `${wrong} This applies only to dx[from, at] += dout · weight; and dweight = Σ_np dout · x[from, at].`,
      ),
    );
    expect(explained('convolution', instance, { dx })).toEqual([
      `${wrong} This applies only to dx[from, at] += dout · weight.`,
    ]);
  });

  it('along one axis is named with the axis', () => {
    const { dx } = slid(instance, (p, k, axis) => (axis === 1 ? p + k - 2 : right(p, k, axis)));
    expect(explained('convolution', instance, { dx })[0]).toContain(
      'the stride of spatial axis 1 is missing: it is taken to be 1.',
    );
  });

  it.each<[string, (place: number, axis: number) => number]>([
    ['mirror image', (place, i) => (place < 0 ? -place : place < size[i] ? place : 2 * (size[i] - 1) - place)],
    ['nearest element', (place, i) => Math.min(Math.max(place, 0), size[i] - 1)],
    ['wrap around', (place, i) => (place + size[i]) % size[i]],
    ['as indices do in Python', (place, i) => (place < 0 ? place + size[i] : place)],
  ])('may be the value outside: %s', (what, inside) => {
    const { out } = slid(instance, (p, k, axis) => inside(right(p, k, axis), axis));
    expect(explained('convolution', instance, { out })[0]).toContain(what);
  });

  it('may be a kernel that is read along the other axis first', () => {
    const [unequal] = [instanceOf('convolution', { x: [1, 1, 5, 6], weight: [1, 1, 2, 3] }, {})];
    const { weight } = unequal.inputs;
    // Read as [3, 2], its axes exchanged.
    const swapped = Float64Array.from(weight.data, (_, i) => weight.data[(i % 3) * 2 + Math.floor(i / 3)]);
    const other = { ...unequal, inputs: { ...unequal.inputs, weight: tensor(weight.shape, swapped) } };
    const { out } = slid(other, (p, k) => p + k);
    expect(explained('convolution', unequal, { out })[0]).toContain('its axes 0 and 1 are exchanged');
  });

  it('may be the flipped kernel of signal processing', () => {
    const { out } = slid(instance, (p, k, axis) => right(p, 2 - k, axis));
    expect(explained('convolution', instance, { out })[0]).toContain(
      'the kernel is flipped, as signal processing does',
    );
  });
});

describe('a slip in the groups of channels', () => {
  const shapes = { x: [2, 4, 5], weight: [4, 2, 2] } as const;
  it.each([
    [false, 'The groups are ignored: every output channel reads the first channels.'],
    [true, 'The groups are ignored: every input channel writes to the first channels.'],
  ])('is named with its channels, transposed: %s', (transposed, sentence) => {
    const instance = instanceOf('convolution', shapes, { groups: 2, transposed });
    const { x, weight } = instance.inputs;
    const shape = instance.upstream.dout.shape;
    const out = new Float64Array(sizeOf(shape));
    for (const [n, o, a, p, k] of placesOf([2, 4, 2, transposed ? 5 : shape[2], 2])) {
      const w = weight.data[(o * 2 + a) * 2 + k];
      if (transposed) out[(n * 4 + a) * 6 + p + k] += x.data[(n * 4 + o) * 5 + p] * w;
      else out[(n * 4 + o) * 4 + p] += x.data[(n * 4 + a) * 5 + p + k] * w;
    }
    const [text] = explained('convolution', instance, { out: tensor(shape, out) });
    expect(text).toContain(sentence);
  });
});

describe('the words of slips', () => {
  const layers = ['convolution', 'pooling'] as const;

  it.each(layers)('mention no option that an instance of %s lacks', (name) => {
    const checks = checksOf(name);
    const stray = new Set<string>();
    let sentences = 0;
    eachInstance(checks, atScale({ all: 300, quick: 60 }), (instance) => {
      const words = absentIn(checks, instance).map((word) => new RegExp(`(?<![A-Za-z_])(${word})(?![A-Za-z])`, 'iu'));
      for (const { wrong, fix } of formulas[name](instance).slips ?? [])
        for (const sentence of [wrong, fix]) {
          sentences++;
          for (const word of words) if (word.test(sentence)) stray.add(`${String(word)}: ${sentence}`);
        }
    });
    expect(sentences).toBeGreaterThan(1000);
    expect([...stray]).toEqual([]);
  });

  it('call the channels of a transposed convolution what they are', () => {
    const shapes = { x: [1, 2, 3], weight: [2, 3, 2] };
    expect(formulas.convolution(instanceOf('convolution', shapes, { transposed: true })).means).toMatchObject({
      o: 'input channels',
      a: 'output channels',
      c: 'output channels',
      p: 'places of x',
      q: 'places of out',
    });
    const plainShapes = { x: [1, 3, 3], weight: [2, 3, 2] };
    expect(formulas.convolution(instanceOf('convolution', plainShapes, {})).means).toMatchObject({
      o: 'output channels',
      a: 'input channels',
    });
  });
});
