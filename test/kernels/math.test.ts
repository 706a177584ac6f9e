import { describe, expect, it } from 'vitest';
import type { Cell, Kernels } from '../../src/kernels/kernels.js';
import { wasmKernels } from '../../src/kernels/wasm/wasm.js';
import { bestBuild, compileModule } from '../../src/platform/wasm-module.js';
import type { FloatArray } from '../../src/tensor/tensor.js';
import { randomNumbers } from '../support/random.js';
import { atScale } from '../support/scale.js';

/** Binary places of the fixed-point reference: far more than float64's 53 bits and any exponent below need. */
const PLACES = 1300n;
const ONE = 1n << PLACES;

/** The exact value of a float64: its integer significand, shifted by its exponent. */
function fixed(x: number): bigint {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(x));
  const word = bits.getBigUint64(0);
  const exponent = word >> 52n;
  const significand = exponent ? (word & ((1n << 52n) - 1n)) | (1n << 52n) : word;
  const shift = (exponent || 1n) - 1075n + PLACES;
  const magnitude = shift >= 0n ? significand << shift : significand >> -shift;
  return x < 0 ? -magnitude : magnitude;
}

/** e^-x for x >= 0: Taylor's series of x / 2^k, squared k times. */
function expOfMinus(x: bigint): bigint {
  const k = 16n;
  const small = x >> k;
  let term = ONE;
  let sum = ONE;
  for (let n = 1n; term; n++) {
    term = -(term * small) / (n << PLACES);
    sum += term;
  }
  for (let i = 0n; i < k; i++) sum = (sum * sum) >> PLACES;
  return sum;
}

const exact = {
  sigmoid(x: number): bigint {
    const power = expOfMinus(fixed(Math.abs(x)));
    return ((x < 0 ? power : ONE) << PLACES) / (ONE + power);
  },
  tanh(x: number): bigint {
    const power = expOfMinus(2n * fixed(Math.abs(x)));
    const magnitude = ((ONE - power) << PLACES) / (ONE + power);
    return x < 0 ? -magnitude : magnitude;
  },
};

const abs = (value: bigint) => (value < 0n ? -value : value);

/** The distance of `actual` from `wanted`, in units in the last place of a significand with `digits` bits. */
function ulps(actual: number, wanted: bigint, digits: bigint, smallest: bigint): number {
  const exponent = BigInt(abs(wanted).toString(2).length);
  const unit = exponent - digits > smallest ? exponent - digits : smallest;
  return Number((abs(fixed(actual) - wanted) * 1000n) >> unit) / 1000;
}

/** Binary digits, and the exponent of the smallest subnormal number. */
const FORMATS = { float32: [24n, PLACES - 149n], float64: [53n, PLACES - 1074n] } as const;

/** Hidden features of a step whose pre-activations are the arguments: several full vectors and a remainder. */
const AT_ONCE = 61;

/** Random arguments of each scale. */
const ARGUMENTS = atScale({ all: 300, quick: 100 });

/**
 * Applies the functions in place, in steps of one sequence: x is the weight of an input of 1 (sigmoid: in the input
 * gate).
 */
function functionsOf(kernels: Kernels) {
  const inSteps = (x: FloatArray, cell: Cell) => {
    const Array = x instanceof Float32Array ? Float32Array : Float64Array;
    for (let from = 0; from < x.length; from += AT_ONCE) {
      const arguments_ = x.subarray(from, from + AT_ONCE);
      const H = arguments_.length;
      const R = cell === 'lstm' ? 4 * H : H;
      const weightIh = new Array(R);
      weightIh.set(arguments_);
      const pass = { gates: new Array(R), h: new Array(2 * H), c: new Array(cell === 'lstm' ? 2 * H : 0) };
      kernels.recur(cell, { xs: Array.of(1), weightIh, weightHh: new Array(R * H) }, pass, { T: 1, N: 1, I: 1, H });
      arguments_.set(pass.gates.subarray(0, H));
    }
  };
  return {
    tanh(x: FloatArray) {
      inSteps(x, 'tanh');
    },
    sigmoid(x: FloatArray) {
      inSteps(x, 'lstm');
    },
  };
}

describe.each([...new Set(['simd', bestBuild('kernels')] as const)])(
  'functions of the WebAssembly kernels, build %s',
  (build) => {
    const functions = functionsOf(wasmKernels(compileModule('kernels', build)));
    const numbers = randomNumbers(9);

    describe.each(['sigmoid', 'tanh'] as const)('%s', (name) => {
      it.each(['float32', 'float64'] as const)('is accurate to 2 units in the last place in %s', (dtype) => {
        const points = [
          1e-300, 1e-30, 1e-8, 1e-3, 0.624999, 0.625, 0.625001, 88.7, 103.9, 104, 709.7, 745.1, 746, 1e4, 1e300,
        ];
        for (const scale of [1e-5, 0.1, 0.7, 1, 5, 20, 110]) points.push(...numbers.array(ARGUMENTS, 0, scale));
        if (dtype === 'float64') points.push(...numbers.array(100, 0, 750));
        const Array = dtype === 'float32' ? Float32Array : Float64Array;
        const x = Array.from(points.flatMap((value) => [value, -value])).filter((value) => Number.isFinite(value));
        const y = x.slice();
        functions[name](y);
        const [digits, smallest] = FORMATS[dtype];
        let worst = { x: 0, off: 0 };
        // e^-1000 is 0 in both formats, so larger arguments need no reference.
        y.forEach((value, i) => {
          const off = ulps(value, exact[name](Math.max(-1000, Math.min(1000, x[i]))), digits, smallest);
          if (off > worst.off) worst = { x: x[i], off };
        });
        expect(worst.off, `at ${worst.x}`).toBeLessThanOrEqual(2);
      });

      it('is as accurate at many more arguments in float32', () => {
        // The functions of float64 serve as the reference: their error is about 2^-29 units of float32.
        const reference = { tanh: Math.tanh, sigmoid: (x: number) => 1 / (1 + Math.exp(-x)) }[name];
        for (const scale of [0.1, 0.7, 3, 20]) {
          const x = Float32Array.from(numbers.array(50_000, -scale, scale));
          const y = x.slice();
          functions[name](y);
          const worst = y.reduce((most, value, i) => {
            const wanted = reference(x[i]);
            const unit = 2 ** (Math.floor(Math.log2(Math.abs(wanted))) - 23);
            return Math.max(most, Math.abs(value - wanted) / unit);
          }, 0);
          expect(worst, `up to ${scale}`).toBeLessThanOrEqual(2);
        }
      });

      it('returns its limit at infinity, and propagates NaN', () => {
        const x = Float64Array.of(Infinity, -Infinity, NaN, 0);
        functions[name](x);
        expect(Array.from(x)).toEqual(name === 'tanh' ? [1, -1, NaN, 0] : [1, 0, NaN, 0.5]);
      });
    });
  },
);
