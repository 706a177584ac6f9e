import type { FloatArray } from '../../tensor/tensor.js';
import { product, type WindowAxes, type WindowAxis } from '../../tensor/windows.js';
import type { ConvolutionShape, Kernels } from '../kernels.js';
import * as plain from '../plain/convolution.js';
import type { Memory } from './memory.js';

/** Multiplications up to which tables and packing cost more than they save. */
const SMALL = 1000;

/** A stride and a padding of millions make padded planes of which the windows touch next to nothing. */
const PADDED_BYTES = 2 ** 27;

function tooSmallOrSparse({ N, groups, A, B, axes }: ConvolutionShape, bytesPerElement: number): boolean {
  const multiplications = N * groups * A * B * product(axes, 'kernel') * product(axes, 'output');
  const reach = (axis: WindowAxis) => (axis.output - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
  const padded = A * axes.reduce((all, axis) => all * reach(axis), 1);
  return multiplications <= SMALL || padded * bytesPerElement > PADDED_BYTES;
}

/** As `Axis` of assembly/windows.ts reads it. */
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

/** Windows of stride 1 are undone by windows too: over the output, with the taps in reverse. */
function undone(axes: WindowAxes): WindowAxes {
  const [d, h, w] = axes.map((axis): WindowAxis => {
    const before = (axis.kernel - 1) * axis.dilation - axis.before;
    return { ...axis, input: axis.output, output: axis.input, before };
  });
  return [d, h, w];
}

/** `correlate`, `spread` and `correlateSides`, one entry of the batch in memory at a time. */
export function convolutionIn(memory: Memory): Pick<Kernels, 'correlate' | 'spread' | 'correlateSides'> {
  /** From one array to another, batch entry by batch entry. */
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
      if (tooSmallOrSparse(shape, weight.BYTES_PER_ELEMENT)) {
        plain.correlate(folded, weight, bias, windowed, shape);
        return;
      }
      const { N, groups, A, B, axes } = shape;
      const functions = memory.of(weight);
      memory.scope(() => {
        const plan = functions.planCorrelate(putAxes(memory, axes), memory.put(weight), groups, A, B);
        const biases = memory.putIfGiven(bias);
        eachEntry(folded, windowed, N, (from, to) => {
          functions.correlate(plan, from, biases, to);
        });
      });
    },

    spread(windowed, weight, bias, folded, shape) {
      if (tooSmallOrSparse(shape, weight.BYTES_PER_ELEMENT)) {
        plain.spread(windowed, weight, bias, folded, shape);
        return;
      }
      const { N, groups, A, B, axes } = shape;
      const functions = memory.of(weight);
      memory.scope(() => {
        const given = memory.put(weight);
        const biases = memory.putIfGiven(bias);
        if (axes.some(({ stride }) => stride > 1)) {
          const plan = functions.planSpread(putAxes(memory, axes), given, groups, A, B);
          eachEntry(windowed, folded, N, (from, to) => {
            functions.spread(plan, from, biases, to);
          });
          return;
        }
        const flipped = memory.take(weight.byteLength);
        const ofGroup = weight.byteLength / groups;
        for (let g = 0; g < groups; g++)
          functions.flip(flipped + g * ofGroup, given + g * ofGroup, A, B, product(axes, 'kernel'));
        const plan = functions.planCorrelate(putAxes(memory, undone(axes)), flipped, groups, B, A);
        eachEntry(windowed, folded, N, (from, to) => {
          functions.correlate(plan, from, biases, to);
        });
      });
    },

    correlateSides(folded, windowed, dweight, shape) {
      if (tooSmallOrSparse(shape, dweight.BYTES_PER_ELEMENT)) {
        plain.correlateSides(folded, windowed, dweight, shape);
        return;
      }
      const { N, groups, A, B, axes } = shape;
      const functions = memory.of(dweight);
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
    },
  };
}
