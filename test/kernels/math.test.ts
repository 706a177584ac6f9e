import { describe, expect, it } from 'vitest';
import type { Kernels } from '../../src/kernels/kernels.js';
import { wasmKernels } from '../../src/kernels/wasm/wasm.js';
import { bestBuild, compileModule } from '../../src/wasm/module.js';
import type { FloatArray } from '../../src/tensor/tensor.js';
import { randomNumbers } from '../support/random.js';

/** Binary places of the fixed-point reference: far more than float64's 53 and any exponent below need. */
const PLACES = 1300n;
const ONE = 1n << PLACES;

/** A float64, exactly: its integer significand shifted by its exponent. */
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

/** How far `actual` is from `wanted`, in units in the last place of a significand of `digits` bits. */
function ulps(actual: number, wanted: bigint, digits: bigint, smallest: bigint): number {
  const exponent = BigInt(abs(wanted).toString(2).length);
  const unit = exponent - digits > smallest ? exponent - digits : smallest;
  return Number((abs(fixed(actual) - wanted) * 1000n) >> unit) / 1000;
}

/** Binary digits, and the exponent of the smallest subnormal number. */
const FORMATS = { float32: [24n, PLACES - 149n], float64: [53n, PLACES - 1074n] } as const;

function functionsOf(kernels: Kernels) {
  return {
    tanh(x: FloatArray) {
      kernels.activate(x, 'tanh');
    },
    sigmoid(x: FloatArray) {
      // All of x in the input gate of one step; what the other gates are does not matter.
      const [H, Array] = [x.length, x instanceof Float32Array ? Float32Array : Float64Array];
      const gates = new Array(4 * H);
      gates.set(x);
      kernels.lstmCell(gates, new Array(H), new Array(H), new Array(H), { N: 1, H });
      x.set(gates.subarray(0, H));
    },
  };
}

describe.each([...new Set(['simd', bestBuild('kernels')] as const)])(
  'functions of the WebAssembly kernels, build %s',
  (build) => {
    const functions = functionsOf(wasmKernels(compileModule('kernels', build)));
    const numbers = randomNumbers(9);

    describe.each(['sigmoid', 'tanh'] as const)('%s', (name) => {
      it.each(['float32', 'float64'] as const)('is off by 2 units in the last place of %s at most', (dtype) => {
        const points = [
          1e-300, 1e-30, 1e-8, 1e-3, 0.624999, 0.625, 0.625001, 88.7, 103.9, 104, 709.7, 745.1, 746, 1e4, 1e300,
        ];
        for (const scale of [1e-5, 0.1, 0.7, 1, 5, 20, 110]) points.push(...numbers.array(300, 0, scale));
        if (dtype === 'float64') points.push(...numbers.array(100, 0, 750));
        const Array = dtype === 'float32' ? Float32Array : Float64Array;
        const x = Array.from(points.flatMap((value) => [value, -value])).filter((value) => Number.isFinite(value));
        const y = x.slice();
        functions[name](y);
        const [digits, smallest] = FORMATS[dtype];
        let worst = { x: 0, off: 0 };
        // e^-1000 is 0 in both formats; the reference need not be asked for less.
        y.forEach((value, i) => {
          const off = ulps(value, exact[name](Math.max(-1000, Math.min(1000, x[i]))), digits, smallest);
          if (off > worst.off) worst = { x: x[i], off };
        });
        expect(worst.off, `at ${worst.x}`).toBeLessThanOrEqual(2);
      });

      it('is its limit at infinity, and keeps NaN and the sign of 0', () => {
        const x = Float64Array.of(Infinity, -Infinity, NaN, 0, -0);
        functions[name](x);
        expect(Array.from(x)).toEqual(name === 'tanh' ? [1, -1, NaN, 0, -0] : [1, 0, NaN, 0.5, 0.5]);
      });
    });
  },
);
