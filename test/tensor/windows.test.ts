import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  effectiveKernel,
  emptyWindow,
  outputShape,
  outputSize,
  padOf,
  product,
  threeAxes,
  transposedOutputSize,
  type WindowAxis,
} from '../../src/tensor/windows.js';
import { atScale } from '../support/scale.js';

/** Fixed, so that a run can be repeated; fast-check prints it with the path to the failure. */
const RUNS = { seed: 20261122, numRuns: atScale({ all: 2000, quick: 200 }) };

const sizes = (most: number) => fc.integer({ min: 1, max: most });
const unpadded = fc.record({ input: sizes(30), kernel: sizes(7), stride: sizes(7), dilation: sizes(4) });
const padded = fc.record({
  input: sizes(30),
  kernel: sizes(7),
  stride: sizes(7),
  dilation: sizes(4),
  before: fc.nat(8),
  after: fc.nat(8),
});

/** Start positions of the windows along an axis, relative to the first element of the input. */
function starts(axis: Omit<WindowAxis, 'output'>, output: number): number[] {
  return Array.from({ length: output }, (_, o) => o * axis.stride - axis.before);
}

/** An axis with the given properties, and neutral values for the others. */
function axisOf(given: Partial<WindowAxis>): WindowAxis {
  return { input: 1, kernel: 1, stride: 1, dilation: 1, before: 0, after: 0, output: 1, ...given };
}

describe('effectiveKernel', () => {
  it.each([
    [1, 5, 1],
    [3, 1, 3],
    [3, 2, 5],
    [2, 4, 5],
  ])('of %i taps at dilation %i is %i', (kernel, dilation, covered) => {
    expect(effectiveKernel(kernel, dilation)).toBe(covered);
  });
});

describe('padOf', () => {
  const axis = { input: 5, kernel: 2, stride: 1, dilation: 1 };

  it('uses a number for both sides, a pair unchanged, and 0 for "valid"', () => {
    expect(padOf(3, axis)).toEqual([3, 3]);
    expect(padOf([1, 4], axis)).toEqual([1, 4]);
    expect(padOf('valid', axis)).toEqual([0, 0]);
  });

  it('places the odd padding of "same" after, and that of "same_lower" before', () => {
    expect(padOf('same', axis)).toEqual([0, 1]);
    expect(padOf('same_lower', axis)).toEqual([1, 0]);
    expect(padOf('same', { ...axis, kernel: 4 })).toEqual([1, 2]);
    expect(padOf('same', { ...axis, kernel: 2, dilation: 4 })).toEqual([2, 2]);
  });

  it('adds no padding for "same" if the stride leaves elements over', () => {
    // Two windows of two, starting at 0 and 4, cover six of eight elements.
    expect(padOf('same', { input: 8, kernel: 2, stride: 4, dilation: 1 })).toEqual([0, 0]);
  });

  it('makes the output of "same" ceil(input / stride), with the least padding', () => {
    const isLeast = fc.property(unpadded, fc.constantFrom('same' as const, 'same_lower' as const), (axis, padding) => {
      const [before, after] = padOf(padding, axis);
      const wanted = Math.ceil(axis.input / axis.stride);
      expect(outputSize({ ...axis, before, after })).toBe(wanted);
      expect(padding === 'same' ? after - before : before - after).toBe((before + after) % 2);
      if (before + after > 0) expect(outputSize({ ...axis, before, after: after - 1 })).toBe(wanted - 1);
    });
    fc.assert(isLeast, RUNS);
  });
});

describe('outputSize', () => {
  it.each([
    [{ input: 4, kernel: 3, before: 1, after: 1 }, 4],
    [{ input: 5, kernel: 2, stride: 2 }, 2],
    [{ input: 5, kernel: 2, dilation: 3 }, 2],
    [{ input: 5, kernel: 2, stride: 9 }, 1],
    [{ input: 1, kernel: 5, before: 3, after: 1 }, 1],
  ])('of %j is %i', (given, size) => {
    expect(outputSize(axisOf(given))).toBe(size);
  });

  it('is how many windows lie within the padded input', () => {
    const countsWindows = fc.property(padded, (axis) => {
      const covered = effectiveKernel(axis.kernel, axis.dilation);
      const fits = starts(axis, 100).filter((start) => start + covered <= axis.input + axis.after);
      expect(Math.max(0, outputSize(axis))).toBe(fits.length);
    });
    fc.assert(countsWindows, RUNS);
  });

  it('is below 1 if not even one window fits', () => {
    expect(outputSize(axisOf({ input: 2, kernel: 3 }))).toBe(0);
    expect(outputSize(axisOf({ input: 2, kernel: 9, stride: 2 }))).toBeLessThan(1);
  });

  it.each([
    // The third window starts at 4 and extends past the end by one.
    [{ input: 5, kernel: 2, stride: 2 }, 3],
    [{ input: 6, kernel: 2, stride: 2 }, 3],
    // Windows would start at −1, 1 and 3; 3 is past the input, so the third is dropped.
    [{ input: 3, kernel: 2, stride: 2, before: 1, after: 1 }, 2],
    // Windows start at −1, 1 and 3; here, 3 is the last element.
    [{ input: 4, kernel: 3, stride: 2, before: 1, after: 1 }, 3],
    [{ input: 2, kernel: 3, stride: 3 }, 1],
  ])('of %j with ceil_mode is %i', (given, size) => {
    expect(outputSize(axisOf(given), true)).toBe(size);
  });

  it('has one more window in ceil_mode if elements are left over and it starts before the input ends', () => {
    const followsPyTorch = fc.property(padded, (axis) => {
      const floor = outputSize(axis);
      fc.pre(floor > 0);
      const covered = effectiveKernel(axis.kernel, axis.dilation);
      const next = floor * axis.stride - axis.before;
      const leftOver = next - axis.stride + covered < axis.input + axis.after;
      const hangsOver = leftOver && next < axis.input;
      // With a padding as large as the window, even the last window that fits may start past the input, and is dropped.
      const fitsInPad = next - axis.stride >= axis.input;
      fc.pre(!fitsInPad);
      expect(outputSize(axis, true)).toBe(hangsOver ? floor + 1 : floor);
    });
    fc.assert(followsPyTorch, RUNS);
  });
});

describe('transposedOutputSize', () => {
  it.each([
    [{ input: 2, kernel: 3, stride: 2 }, 0, 5],
    [{ input: 2, kernel: 3, stride: 2, before: 1, after: 1 }, 0, 3],
    [{ input: 2, kernel: 3, stride: 2, before: 1, after: 1 }, 1, 4],
    [{ input: 1, kernel: 2, dilation: 3, before: 1 }, 0, 3],
  ])('of %j with output padding %i is %i', (given, outputPadding, size) => {
    expect(transposedOutputSize(axisOf(given), outputPadding)).toBe(size);
  });

  it('is the input size of the inverted convolution, with the right output padding', () => {
    const turnsAbout = fc.property(padded, (axis) => {
      const output = outputSize(axis);
      fc.pre(output > 0);
      const room = axis.input + axis.before + axis.after - effectiveKernel(axis.kernel, axis.dilation);
      expect(transposedOutputSize({ ...axis, input: output }, room % axis.stride)).toBe(axis.input);
    });
    fc.assert(turnsAbout, RUNS);
  });
});

describe('emptyWindow', () => {
  it.each([
    [{ input: 3, kernel: 2, output: 2 }, undefined],
    // Taps at −1 and 2 of a single element.
    [{ input: 1, kernel: 2, dilation: 3, before: 1, after: 2 }, 0],
    // Windows of one tap at −1, 0 and 1, of which only 0 lies in the input.
    [{ input: 1, before: 1, after: 1, output: 3 }, 0],
    [{ input: 1, after: 1, output: 2 }, 1],
    // Taps at −2 and 1, then −1 and 2.
    [{ input: 2, kernel: 2, dilation: 3, before: 2, after: 1, output: 2 }, 1],
  ])('of %j is %j', (given, position) => {
    expect(emptyWindow(axisOf(given))).toBe(position);
  });

  it('is the first position without a tap in the input', () => {
    const isFirst = fc.property(padded, fc.nat(3), (given, more) => {
      const axis = { ...given, output: Math.max(0, outputSize(given)) + more };
      const hasTap = (start: number) =>
        Array.from({ length: axis.kernel }, (_, k) => start + k * axis.dilation).some(
          (place) => place >= 0 && place < axis.input,
        );
      const first = starts(axis, axis.output).findIndex((start) => !hasTap(start));
      expect(emptyWindow(axis)).toBe(first < 0 ? undefined : first);
    });
    fc.assert(isFirst, RUNS);
  });
});

describe('threeAxes', () => {
  const [a, b, c] = [2, 3, 4].map((input) => axisOf({ input, output: input }));

  it('adds axes of size 1 in front', () => {
    expect(threeAxes([a, b, c])).toEqual([a, b, c]);
    expect(threeAxes([b, c])).toEqual([axisOf({}), b, c]);
    expect(threeAxes([c])).toEqual([axisOf({}), axisOf({}), c]);
  });
});

describe('product and outputShape', () => {
  it('multiply and list the sizes of the axes', () => {
    const axes = [axisOf({ input: 2, kernel: 3, output: 5 }), axisOf({ input: 7, kernel: 11, output: 13 })];
    expect([product(axes, 'input'), product(axes, 'kernel'), product(axes, 'output')]).toEqual([14, 33, 65]);
    expect(outputShape(axes)).toEqual([5, 13]);
  });
});
