/** Random and exhaustive windows for testing kernels, and their definition. */
import fc, { type Arbitrary } from 'fast-check';
import { outputSize, threeAxes, type WindowAxes, type WindowAxis } from '../../src/tensor/windows.js';
import { atScale } from '../support/scale.js';

/** Positions that a window's taps read along one axis, including those in the padding. */
function places({ stride, before, kernel, dilation }: WindowAxis, o: number): number[] {
  return Array.from({ length: kernel }, (_, k) => o * stride - before + k * dilation);
}

/** For every tap of the window at `o`, its index in the row-major plane, or undefined in the padding. */
export function taps([d, h, w]: WindowAxes, o: readonly [number, number, number]): (number | undefined)[] {
  const inside = (place: number, { input }: WindowAxis) => place >= 0 && place < input;
  return places(d, o[0]).flatMap((id) =>
    places(h, o[1]).flatMap((ih) =>
      places(w, o[2]).map((iw) =>
        inside(id, d) && inside(ih, h) && inside(iw, w) ? (id * h.input + ih) * w.input + iw : undefined,
      ),
    ),
  );
}

/** Output positions in row-major order. */
export function positions([d, h, w]: WindowAxes): [number, number, number][] {
  return Array.from({ length: d.output * h.output * w.output }, (_, p) => [
    Math.floor(p / (h.output * w.output)),
    Math.floor(p / w.output) % h.output,
    p % w.output,
  ]);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/**
 * A quick run takes one in eleven. Eleven divides no count of sizes, so all sizes still occur, in varying combinations.
 */
const STEP = atScale({ all: 1, quick: 11 });

/** All geometries of one axis up to these sizes in which at least one window fits, or one with ceil_mode. */
export function everyAxis(): WindowAxis[] {
  const axes: WindowAxis[] = [];
  for (const input of range(1, 6))
    for (const kernel of range(1, 4))
      for (const stride of range(1, 4))
        for (const dilation of range(1, 3))
          for (const before of range(0, 3))
            for (const after of range(0, 2)) {
              const axis = { input, kernel, stride, dilation, before, after };
              for (const output of new Set([outputSize(axis), outputSize(axis, true)]))
                if (output > 0) axes.push({ ...axis, output });
            }
  return axes.filter((_, i) => i % STEP === 0);
}

const axis: Arbitrary<WindowAxis> = fc
  .record({
    input: fc.integer({ min: 1, max: 6 }),
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 4 }),
    dilation: fc.integer({ min: 1, max: 3 }),
    before: fc.nat(3),
    after: fc.nat(3),
    fewer: fc.nat(2),
  })
  .map(({ fewer, ...given }) => ({ ...given, output: outputSize(given) - fewer }))
  .filter(({ output }) => output > 0);

/** One to three axes whose output may lack windows that would fit, as that of a transposed convolution does. */
export const someAxes: Arbitrary<WindowAxes> = fc.array(axis, { minLength: 1, maxLength: 3 }).map(threeAxes);

/** Fixed, so that a run can be repeated; fast-check prints it with the path to the failure. */
export const ON_RANDOM_WINDOWS = { seed: 20261122, numRuns: atScale({ all: 200, quick: 15 }) };
