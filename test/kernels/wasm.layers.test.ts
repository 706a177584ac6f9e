import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/tensor/tensor.js';
import { wasmKernels } from '../../src/kernels/wasm/wasm.js';
import { bestBuild, compileModule } from '../../src/platform/wasm-module.js';
import { bodyOf, computation, layerNames } from '../support/compute.js';
import { expectClose, referenceCases, TOLERANCE } from '../support/reference.js';

// The layers again with these kernels: their reference cases have shapes and options that no kernel suite has.
describe.each([...new Set(['simd', bestBuild('kernels')] as const)])('over WebAssembly kernels, build %s', (build) => {
  const kernels = wasmKernels(compileModule('kernels', build));

  describe.each(layerNames)('%s agrees with PyTorch', (name) => {
    it.each(referenceCases(name))('$dtype: $name', async ({ dtype, forward, backward, answers, gradients }) => {
      const layer = computation(name, kernels);
      const answer = await layer.forward(bodyOf({ ...forward, dtype }));
      expectClose(answer, answers, TOLERANCE[dtype]);
      const computed = await layer.backward(bodyOf({ session: answer.session, ...backward }));
      expect(Object.keys(computed).sort()).toEqual(Object.keys(gradients).sort());
      expectClose(computed, gradients, TOLERANCE[dtype]);
    });
  });

  const forward = (name: string, body: object) =>
    computation(name, kernels).forward(bodyOf({ ...body, session: false }));
  const numbersOf = (answer: Readonly<Record<string, unknown>>, name: string) =>
    Array.from((answer[name] as Tensor).data);

  it.each([10, 16])('a transposed convolution of side %i multiplies no padding by an infinite weight', async (side) => {
    const x = [[Array.from({ length: side }, () => Array<number>(side).fill(1))]];
    const weight = [
      [
        [
          ['Infinity', 1, 1],
          [1, 1, 1],
          [1, 1, 1],
        ],
      ],
    ];
    const out = numbersOf(await forward('convolution', { x, weight, transposed: true }), 'out');
    // By the formula: the infinite weight is the first tap, which reaches all elements except the last two rows and
    // columns.
    const outSide = side + 2;
    const reached = out.map((_, i) => Math.floor(i / outSide) < side && i % outSide < side);
    expect(out.map((value) => value === Infinity)).toEqual(reached);
    expect(out.some(Number.isNaN)).toBe(false);
  });

  it('a relu rnn whose state overflows past the end of a sequence has finite gradients', async () => {
    const answer = await computation('rnn', kernels).backward(
      bodyOf({
        forward: {
          x: [
            [[1e300], [0], [0]],
            [[1], [1], [1]],
          ],
          weight_ih: [[1e10]],
          weight_hh: [[0.5]],
          nonlinearity: 'relu',
          sequence_lengths: [1, 3],
        },
        dout: [
          [[1], [1], [1]],
          [[1], [1], [1]],
        ],
      }),
    );
    // By hand, for sequence 1 by itself: h = 1e10, 1.5e10, 1.75e10 and dz = 1.75, 1.5, 1, so 1.5 · 1e10 + 1 · 1.5e10.
    expect(numbersOf(answer, 'dweight_hh')).toEqual([3e10]);
  });

  it('a float32 average is the same in one window and in many, without intermediate overflow', async () => {
    const average = async (row: number[], kernel_size: number) =>
      numbersOf(await forward('pooling', { x: [[row]], mode: 'average', kernel_size, dtype: 'float32' }), 'out');
    for (const windows of [1, 2, 3, 4, 5, 9]) {
      const large = await average(Array<number>(2 * windows).fill(3e38), 2);
      expect(large).toEqual(Array<number>(windows).fill(Math.fround(3e38)));
      const tenths = await average(Array<number>(9 * windows).fill(0.1), 9);
      expect(tenths).toEqual(Array<number>(windows).fill(Math.fround(0.1)));
    }
  });
});
