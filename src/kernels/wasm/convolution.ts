import { dtypeOf, type FloatArray } from '../../tensor/tensor.js';
import { product, type WindowAxes, type WindowAxis } from '../../tensor/windows.js';
import type { ConvolutionShape, Kernels } from '../kernels.js';
import * as plain from '../plain/convolution.js';
import { eachProduct } from '../plain/convolution.js';
import type { Memory } from './memory.js';

/** Limit of the padded planes: with a stride and a padding of millions, windows touch only a tiny part of them. */
const PADDED_BYTES = 2 ** 27;

function tooSparse({ A, axes }: ConvolutionShape, bytesPerElement: number): boolean {
  const reach = (axis: WindowAxis) => (axis.output - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
  const padded = A * axes.reduce((all, axis) => all * reach(axis), 1);
  return padded * bytesPerElement > PADDED_BYTES;
}

/** Writes the axes in the layout of `Axis` in assembly/windows.ts. */
function putAxes(memory: Memory, axes: WindowAxes): number {
  const fields = axes.flatMap(({ input, kernel, stride, dilation, before, output }) => [
    ...[input, kernel, stride, dilation, before, output],
  ]);
  return memory.put(Int32Array.from(fields));
}

/** Entry n of a batch of N. */
function entry(array: FloatArray, n: number, N: number): FloatArray {
  const size = array.length / N;
  return array.subarray(n * size, (n + 1) * size);
}

/** The transpose of windows of stride 1 is windows too: over the output, with the taps in reverse. */
function undone(axes: WindowAxes): WindowAxes {
  const [d, h, w] = axes.map((axis): WindowAxis => {
    const before = (axis.kernel - 1) * axis.dilation - axis.before;
    return { ...axis, input: axis.output, output: axis.input, before };
  });
  return [d, h, w];
}

/** The smallest normal number: times any finite number, it is negligible next to ∞. */
const TINY = { float64: 2 ** -1022, float32: 2 ** -126 } as const;

/** Written as loops because every call uses one of the two: callbacks take five times as long. */
function holdsNaN(values: FloatArray): boolean {
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) return true;
  return false;
}
function allFinite(values: FloatArray): boolean {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
}

/** A copy in which every value that is not finite is replaced by a tiny one of the same sign. */
function tamed(factors: FloatArray): FloatArray {
  const tiny = TINY[dtypeOf(factors)];
  return factors.map((value) => (Number.isFinite(value) ? value : value < 0 ? -tiny : tiny));
}

/**
 * The padding of the planes holds zeros, and 0 · ∞ is NaN. So the products of `factors` that are not finite are added
 * separately, and only for taps inside the input. Each of these products is ±∞ or NaN, so their order does not matter;
 * all other sums stay the same to the last bit.
 *
 * @param compute fills `sums` from the factors
 * @param addProducts adds the products of factors that are not finite
 */
function skipPadding(
  factors: FloatArray,
  sums: FloatArray,
  compute: (factors: FloatArray) => void,
  addProducts: () => void,
): void {
  // The shorter array is checked first: only NaN sums together with factors that are not finite need more work.
  if (factors.length < sums.length && allFinite(factors)) {
    compute(factors);
    return;
  }
  compute(factors);
  if (!holdsNaN(sums) || allFinite(factors)) return;
  compute(tamed(factors));
  addProducts();
}

/** `correlate`, `spread` and `correlateSides`, one entry of the batch in memory at a time. */
export function convolutionIn(memory: Memory): Pick<Kernels, 'correlate' | 'spread' | 'correlateSides'> {
  /** Convolves one array into another, one batch entry at a time. */
  function eachEntry(from: FloatArray, to: FloatArray, N: number, convolve: (from: number, to: number) => void): void {
    const [source, target] = [memory.take(from.byteLength / N), memory.take(to.byteLength / N)];
    for (let n = 0; n < N; n++) {
      memory.write(source, entry(from, n, N));
      convolve(source, target);
      memory.read(target, entry(to, n, N));
    }
  }

  return {
    correlate(folded, weight, bias, windowed, shape) {
      if (tooSparse(shape, weight.BYTES_PER_ELEMENT)) {
        plain.correlate(folded, weight, bias, windowed, shape);
        return;
      }
      const { N, groups, A, B, axes } = shape;
      const functions = memory.of(weight);
      const compute = (weight: FloatArray) => {
        memory.scope(() => {
          const plan = functions.planCorrelate(putAxes(memory, axes), memory.put(weight), groups, A, B);
          const biases = memory.putIfGiven(bias);
          eachEntry(folded, windowed, N, (from, to) => {
            functions.correlate(plan, from, biases, to);
          });
        });
      };
      skipPadding(weight, windowed, compute, () => {
        eachProduct(shape, (at) => {
          const factor = weight[at.weight];
          if (Number.isFinite(factor)) return;
          for (let i = 0; i < at.count; i++) windowed[at.windowed + i] += factor * folded[at.folded + i * at.stride];
        });
      });
    },

    spread(windowed, weight, bias, folded, shape) {
      if (tooSparse(shape, weight.BYTES_PER_ELEMENT)) {
        plain.spread(windowed, weight, bias, folded, shape);
        return;
      }
      const { N, groups, A, B, axes } = shape;
      const functions = memory.of(weight);
      if (axes.some(({ stride }) => stride > 1)) {
        memory.scope(() => {
          const plan = functions.planSpread(putAxes(memory, axes), memory.put(weight), groups, A, B);
          const biases = memory.putIfGiven(bias);
          eachEntry(windowed, folded, N, (from, to) => {
            functions.spread(plan, from, biases, to);
          });
        });
        return;
      }
      const compute = (weight: FloatArray) => {
        memory.scope(() => {
          const [given, flipped] = [memory.put(weight), memory.take(weight.byteLength)];
          const biases = memory.putIfGiven(bias);
          const ofGroup = weight.byteLength / groups;
          for (let g = 0; g < groups; g++)
            functions.flip(flipped + g * ofGroup, given + g * ofGroup, A, B, product(axes, 'kernel'));
          const plan = functions.planCorrelate(putAxes(memory, undone(axes)), flipped, groups, B, A);
          eachEntry(windowed, folded, N, (from, to) => {
            functions.correlate(plan, from, biases, to);
          });
        });
      };
      skipPadding(weight, folded, compute, () => {
        eachProduct(shape, (at) => {
          const factor = weight[at.weight];
          if (Number.isFinite(factor)) return;
          for (let i = 0; i < at.count; i++) folded[at.folded + i * at.stride] += factor * windowed[at.windowed + i];
        });
      });
    },

    correlateSides(folded, windowed, dweight, shape) {
      if (tooSparse(shape, dweight.BYTES_PER_ELEMENT)) {
        plain.correlateSides(folded, windowed, dweight, shape);
        return;
      }
      const { N, groups, A, B, axes } = shape;
      const functions = memory.of(dweight);
      const compute = (windowed: FloatArray) => {
        memory.scope(() => {
          const plan = functions.planWeightGradient(putAxes(memory, axes), groups, A, B);
          const [x, y] = [memory.take(folded.byteLength / N), memory.take(windowed.byteLength / N)];
          const sum = memory.take(dweight.byteLength);
          memory.clear(sum, dweight.byteLength);
          for (let n = 0; n < N; n++) {
            memory.write(x, entry(folded, n, N));
            memory.write(y, entry(windowed, n, N));
            functions.addWeightGradient(plan, x, y, sum);
          }
          memory.read(sum, dweight);
        });
      };
      skipPadding(windowed, dweight, compute, () => {
        eachProduct(shape, (at) => {
          for (let i = 0; i < at.count; i++) {
            const factor = windowed[at.windowed + i];
            if (!Number.isFinite(factor)) dweight[at.weight] += factor * folded[at.folded + i * at.stride];
          }
        });
      });
    },
  };
}
