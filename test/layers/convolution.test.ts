import type { Static } from '@sinclair/typebox';
import { describe, expect, it } from 'vitest';
import type { ConvolutionOptions } from '../../schemas/convolution.js';
import { convolution } from '../../src/layers/convolution.js';
import { zeros, type FloatTensor, type Shape } from '../../src/tensor/tensor.js';
import { arraysOf, float32, float64, nested, refusalOf, run } from '../support/layer.js';
import { randomNumbers } from '../support/random.js';

type Options = Partial<Static<typeof ConvolutionOptions>>;

/** One channel in, one out, one axis: the rows of x, the kernel and out. */
function row(x: number[], kernel: number[], given: Options = {}) {
  const { outputs, backward } = run(convolution, { x: float64([[x]]), weight: float64([[kernel]]) }, given);
  const out = Array.from(outputs.out.data);
  return {
    out,
    gradients: (dout: number[]) => {
      const { dx, dweight } = backward({ dout: float64([[dout]]) });
      return { dx: Array.from(dx.data), dweight: Array.from(dweight.data) };
    },
  };
}

function dot(a: FloatTensor, b: FloatTensor): number {
  expect(a.shape).toEqual(b.shape);
  return Array.from(a.data).reduce((sum, value, i) => sum + value * b.data[i], 0);
}

describe('convolution', () => {
  it('slides a kernel over a row that can be checked by hand', () => {
    const { outputs, backward } = run(
      convolution,
      { x: float64([[[1, 2, 3, 4]]]), weight: float64([[[1, 0, -1]]]), bias: float64([0.5]) },
      { padding: 1 },
    );
    // x[p − 1] − x[p + 1] + 0.5, with 0 on both sides of x
    expect(nested(outputs.out)).toEqual([[[0 - 2 + 0.5, 1 - 3 + 0.5, 2 - 4 + 0.5, 3 - 0 + 0.5]]]);

    const { dx, dweight, dbias } = backward({ dout: float64([[[1, 2, 3, 4]]]) });
    // dx[i] = dout[i + 1] − dout[i − 1]; dweight[k] = Σ dout[p] · x[p − 1 + k]
    expect(nested(dx)).toEqual([[[2, 3 - 1, 4 - 2, -3]]]);
    expect(nested(dweight)).toEqual([[[2 * 1 + 3 * 2 + 4 * 3, 1 + 4 + 9 + 16, 1 * 2 + 2 * 3 + 3 * 4]]]);
    expect(nested(dbias)).toEqual([10]);
  });

  it('does not flip the kernel', () => {
    const x = [
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ];
    const kernel = [
      [1, 10],
      [100, 1000],
    ];
    const { outputs } = run(convolution, { x: float64([[x]]), weight: float64([[kernel]]) });
    // Read from the top left, the digits are those of x in the order of the kernel: 1, 2, 4, 5.
    expect(nested(outputs.out)).toEqual([
      [
        [
          [5421, 6532],
          [8754, 9865],
        ],
      ],
    ]);
  });

  it('sums the input channels, with a separate kernel for each output channel', () => {
    const x = float64([
      [
        [1, 2],
        [10, 20],
      ],
    ]);
    const weight = float64([
      [[1], [1]],
      [[3], [0]],
      [[0], [-1]],
    ]);
    const { outputs } = run(convolution, { x, weight });
    expect(nested(outputs.out)).toEqual([
      [
        [11, 22],
        [3, 6],
        [-10, -20],
      ],
    ]);
  });

  it('keeps groups of channels separate', () => {
    const x = float64([[[1], [2], [3], [4]]]);
    const weight = float64([
      [[1], [10]],
      [[1], [10]],
    ]);
    const { outputs, backward } = run(convolution, { x, weight }, { groups: 2 });
    expect(nested(outputs.out)).toEqual([[[21], [43]]]);
    const { dx, dweight } = backward({ dout: float64([[[1], [100]]]) });
    expect(nested(dx)).toEqual([[[1], [10], [100], [1000]]]);
    expect(nested(dweight)).toEqual([
      [[1], [2]],
      [[300], [400]],
    ]);
  });

  it('sums only the taps inside x, in three dimensions', () => {
    const ones = (shape: Shape): FloatTensor => ({ ...zeros('float64', shape), data: new Float64Array(27).fill(1) });
    const { outputs } = run(
      convolution,
      { x: ones([1, 1, 3, 3, 3]), weight: ones([1, 1, 3, 3, 3]) },
      { padding: 1, stride: [2, 2, 1] },
    );
    // At a corner, 2 · 2 · 2 taps lie in x; in the middle of an edge of the last axis, 2 · 2 · 3.
    expect(outputs.out.shape).toEqual([1, 1, 2, 2, 3]);
    expect(Array.from(outputs.out.data)).toEqual(Array(4).fill([8, 12, 8]).flat());
  });

  it('skips the elements between windows if the stride is larger than the kernel', () => {
    const { out, gradients } = row([1, 2, 3, 4, 5, 6], [1, 10], { stride: 3 });
    expect(out).toEqual([21, 54]);
    expect(gradients([1, 2])).toEqual({ dx: [1, 10, 0, 2, 20, 0], dweight: [1 + 2 * 4, 2 + 2 * 5] });
  });

  it('accumulates the gradients where windows overlap', () => {
    expect(row([1, 2, 3], [1, 1]).gradients([1, 10])).toEqual({ dx: [1, 11, 10], dweight: [21, 32] });
  });

  it('spreads the taps of a dilated kernel', () => {
    const { out, gradients } = row([1, 2, 3, 4, 5], [1, 10], { dilation: 3 });
    expect(out).toEqual([41, 52]);
    expect(gradients([1, 2])).toEqual({ dx: [1, 2, 0, 10, 20], dweight: [1 + 2 * 2, 4 + 2 * 5] });
  });

  it('places the odd padding of "same" after the input, and that of "same_lower" before it', () => {
    expect(row([1, 2, 3], [1, 10], { padding: 'same' }).out).toEqual([21, 32, 3]);
    expect(row([1, 2, 3], [1, 10], { padding: 'same_lower' }).out).toEqual([10, 21, 32]);
    // Stride 2 over five elements requires three windows of two: one element more than there is.
    expect(row([1, 2, 3, 4, 5], [1, 10], { padding: 'same', stride: 2 }).out).toEqual([21, 43, 5]);
    expect(row([1, 2, 3, 4, 5], [1, 10], { padding: 'same_lower', stride: 2 }).out).toEqual([10, 32, 54]);
  });

  it('pads each side by its own amount', () => {
    expect(row([1, 2], [1, 10], { padding: 'valid' }).out).toEqual([21]);
    expect(row([1, 2], [1, 10], { padding: [1] }).out).toEqual([10, 21, 2]);
    expect(row([1, 2], [1, 10], { padding: [[2, 0]] }).out).toEqual([0, 10, 21]);
    expect(row([1, 2], [1, 10], { padding: [[0, 1]] }).out).toEqual([21, 2]);
  });

  it('accepts one number and one pair for two axes', () => {
    const x = float64([[[[1]]]]);
    const { outputs } = run(convolution, { x, weight: x }, { padding: [1, [0, 2]] });
    expect(nested(outputs.out)).toEqual([
      [
        [
          [0, 0, 0],
          [1, 0, 0],
          [0, 0, 0],
        ],
      ],
    ]);
  });

  it('accepts sizes of 1, and a kernel as large as the padded input', () => {
    expect(row([3], [5]).out).toEqual([15]);
    expect(row([3], [1, 10, 100], { padding: 1 }).out).toEqual([30]);
  });

  it('adds a scaled kernel to the output for every input when transposed', () => {
    const { out, gradients } = row([1, 2], [1, 10, 100], { transposed: true, stride: 2 });
    // 1 · [1, 10, 100] from position 0, and 2 · [1, 10, 100] from position 2
    expect(out).toEqual([1, 10, 102, 20, 200]);
    // Its backward reads the same windows: dx[0] = 1 + 20 + 300, dx[1] = 3 + 40 + 500.
    expect(gradients([1, 2, 3, 4, 5])).toEqual({ dx: [321, 543], dweight: [1 + 2 * 3, 2 + 2 * 4, 3 + 2 * 5] });
  });

  it('crops a transposed output by the padding, and adds output_padding at the end', () => {
    expect(row([1, 2], [1, 10, 100], { transposed: true, stride: 2, padding: 1 }).out).toEqual([10, 102, 20]);
    const padded = { transposed: true, stride: 2, padding: 1, output_padding: 1 };
    expect(row([1, 2], [1, 10, 100], padded).out).toEqual([10, 102, 20, 200]);
    // No window reaches the element that output_padding adds.
    expect(row([1, 2], [1], { transposed: true, stride: 2, output_padding: 1 }).out).toEqual([1, 0, 2, 0]);
  });

  it('returns only the bias where no window of a transposed convolution reaches', () => {
    const one = float64([[[1]]]);
    const given = { transposed: true, stride: 3, output_padding: 2 };
    const { outputs } = run(convolution, { x: one, weight: one, bias: float64([0.5]) }, given);
    expect(nested(outputs.out)).toEqual([[[1.5, 0.5, 0.5]]]);
  });

  it('computes the transpose when transposed: ⟨conv(x), y⟩ = ⟨x, convᵀ(y)⟩', () => {
    const numbers = randomNumbers(3);
    const weight = numbers.tensor([4, 3, 2, 3]);
    const x = numbers.tensor([2, 6, 7, 5]);
    const given: Options = { stride: [2, 1], padding: [[1, 0], 1], dilation: [2, 1], groups: 2 };
    const there = run(convolution, { x, weight }, given);
    const y = numbers.tensor(there.outputs.out.shape);
    // A weight [O, C/groups, …] of one is [C, O/groups, …] of the other when applied to y. The stride leaves one row of
    // x unread, which output_padding restores.
    const back = run(convolution, { x: y, weight }, { ...given, transposed: true, output_padding: [1, 0] });
    expect(dot(there.outputs.out, y)).toBeCloseTo(dot(x, back.outputs.out), 10);
  });

  it('propagates NaN from every window that reads it, even with a weight of 0', () => {
    expect(row([1, NaN, 3, 4], [1, 0]).out).toEqual([NaN, NaN, 3]);
  });

  it('returns dbias only if a bias was given', () => {
    const one = float64([[[1]]]);
    expect(Object.keys(run(convolution, { x: one, weight: one }).backward({ dout: one }))).toEqual(['dx', 'dweight']);
  });

  it('computes a float32 call in float32', () => {
    const one = float32([[[1]]]);
    for (const transposed of [false, true]) {
      const { outputs, backward } = run(convolution, { x: one, weight: one, bias: float32([1]) }, { transposed });
      expect(arraysOf(outputs)).toEqual({ out: 'Float32Array' });
      const gradients = { dx: 'Float32Array', dweight: 'Float32Array', dbias: 'Float32Array' };
      expect(arraysOf(backward({ dout: one }))).toEqual(gradients);
    }
  });
});

describe('convolution refuses', () => {
  function refused(x: Shape, weight: Shape, given: Options = {}, bias?: Shape) {
    const tensors = { x: zeros('float64', x), weight: zeros('float64', weight) };
    return refusalOf(() => run(convolution, bias ? { ...tensors, bias: zeros('float64', bias) } : tensors, given));
  }

  it.each([[[2, 3]], [[2, 3, 1, 1, 1, 1]]])('x of shape %j', (shape) => {
    expect(refused(shape, [4, 3, 2])).toEqual({
      kind: 'shape-mismatch',
      path: ['x'],
      detail: `x has shape [${shape.join(', ')}]; expected [N, C, *] with one to three spatial axes`,
    });
  });

  it('a weight of another rank than x', () => {
    expect(refused([2, 3, 8, 8], [4, 3, 2])).toEqual({
      kind: 'shape-mismatch',
      path: ['weight'],
      detail:
        'weight has shape [4, 3, 2]; expected [O, C/groups, *kernel] with 2 kernel axes, because x has shape [2, 3, 8, 8]',
    });
    expect(refused([2, 3, 8], [4, 3], { transposed: true })).toEqual({
      kind: 'shape-mismatch',
      path: ['weight'],
      detail:
        'weight has shape [4, 3]; expected [C, O/groups, *kernel] with 1 kernel axes, because x has shape [2, 3, 8]',
    });
  });

  it('a weight for other channels than those of x', () => {
    expect(refused([2, 3, 8], [4, 2, 5])).toEqual({
      kind: 'shape-mismatch',
      path: ['weight'],
      detail:
        'weight has shape [4, 2, 5]; expected [4, 3, 5], because x has 3 channels and weight is [O, C/groups, *kernel]',
    });
    expect(refused([2, 6, 8], [4, 6, 5], { groups: 2 })).toEqual({
      kind: 'shape-mismatch',
      path: ['weight'],
      detail:
        'weight has shape [4, 6, 5]; expected [4, 3, 5], because x has 6 channels in 2 groups and weight is [O, C/groups, *kernel]',
    });
    expect(refused([2, 3, 8], [4, 2, 5], { transposed: true })).toEqual({
      kind: 'shape-mismatch',
      path: ['weight'],
      detail:
        'weight has shape [4, 2, 5]; expected [3, 2, 5], because x has 3 channels and weight is [C, O/groups, *kernel]',
    });
  });

  it('groups that do not divide the channels', () => {
    expect(refused([2, 3, 8], [4, 1, 5], { groups: 2 })).toEqual({
      kind: 'value-mismatch',
      path: ['groups'],
      detail: "groups is 2; expected a divisor of x's 3 channels",
    });
    expect(refused([2, 6, 8], [4, 2, 5], { groups: 3 })).toEqual({
      kind: 'value-mismatch',
      path: ['groups'],
      detail: "groups is 3; expected a divisor of weight's 4 output channels",
    });
  });

  it('a bias of another size than the output channels', () => {
    expect(refused([2, 3, 8], [4, 3, 5], {}, [3])).toEqual({
      kind: 'shape-mismatch',
      path: ['bias'],
      detail: 'bias has shape [3]; expected [4], because weight has 4 output channels',
    });
    expect(refused([2, 4, 8], [4, 3, 5], { groups: 2, transposed: true }, [4])).toEqual({
      kind: 'shape-mismatch',
      path: ['bias'],
      detail: 'bias has shape [4]; expected [6], because weight has 6 output channels',
    });
  });

  it('a kernel that covers more than the padded input', () => {
    expect(refused([1, 1, 5, 3], [1, 1, 1, 3], { dilation: [1, 2], padding: [0, [1, 0]] })).toEqual({
      kind: 'shape-mismatch',
      path: ['weight'],
      detail:
        'the kernel covers 5 elements of spatial axis 1; expected at most 4, because x has 3 there and the padding is [1, 0]',
    });
  });

  it.each(['stride', 'dilation', 'padding'])('%s for another number of axes', (name) => {
    expect(refused([1, 1, 8, 8], [1, 1, 2, 2], { [name]: [1, 1, 1] })).toEqual({
      kind: 'value-mismatch',
      path: [name],
      detail: `${name} has 3 entries; expected 2, one for each spatial axis of x`,
    });
  });

  it.each([false, true])('output_padding for another number of axes, transposed %s', (transposed) => {
    expect(refused([1, 1, 8, 8], [1, 1, 2, 2], { output_padding: [0], transposed })).toEqual({
      kind: 'value-mismatch',
      path: ['output_padding'],
      detail: 'output_padding has 1 entry; expected 2, one for each spatial axis of x',
    });
  });

  it.each(['same', 'same_lower'] as const)('"%s" when transposed', (padding) => {
    expect(refused([1, 1, 8], [1, 1, 2], { padding, transposed: true })).toEqual({
      kind: 'value-mismatch',
      path: ['padding'],
      detail: `padding is "${padding}"; expected integers or "valid", because transposed is true and its output size would be ambiguous`,
    });
  });

  it('output_padding as large as stride and dilation', () => {
    const given = { transposed: true, stride: [1, 2], dilation: [3, 1], output_padding: 2 };
    expect(refused([1, 1, 8, 8], [1, 1, 2, 2], given)).toEqual({
      kind: 'value-mismatch',
      path: ['output_padding'],
      detail: 'output_padding is 2 on spatial axis 1; expected less than 2, the larger of stride and dilation there',
    });
  });

  it('a padding that leaves nothing of a transposed output', () => {
    expect(refused([1, 1, 2], [1, 1, 3], { transposed: true, padding: [[3, 1]] })).toEqual({
      kind: 'shape-mismatch',
      path: ['padding'],
      detail: 'the padding [3, 1] leaves 0 elements of spatial axis 0; expected at least 1, because x has 2 there',
    });
  });

  it('output_padding when not transposed', () => {
    expect(refused([1, 1, 8], [1, 1, 2], { output_padding: 1 })).toEqual({
      kind: 'value-mismatch',
      path: ['output_padding'],
      detail: 'output_padding is not 0; expected 0, because transposed is false',
    });
  });
});
