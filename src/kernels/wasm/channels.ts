import type { FloatArray } from '../../tensor/tensor.js';
import type { ChannelShape, Kernels } from '../kernels.js';
import type { Memory, Piece } from './memory.js';

/** A piece (two in backward) stays in the second-level cache while it is copied in, processed and copied back. */
const PIECE_BYTES = 2 ** 18;

/** Number of lists in the module's `Moments`, and the indices of those that hold its results. */
const MOMENTS_LISTS = 8;
const [ORIGINS, SUMS, SQUARES] = [0, 2, 3];

/** A piece: elements [start, end) of the array, and their description for the module. */
interface Part {
  readonly start: number;
  readonly end: number;
  readonly at: (address: number) => Piece;
}

/** Splits x into pieces of whole rows of channels, of whole runs of S, or of parts of one run. */
function partsOf(x: FloatArray, { N, C, S }: ChannelShape): Part[] {
  const most = PIECE_BYTES / x.BYTES_PER_ELEMENT;
  const parts: Part[] = [];
  if (S <= most) {
    const unit = S === 1 ? C : S;
    const step = Math.max(1, Math.floor(most / unit)) * unit;
    for (let start = 0; start < x.length; start += step) {
      const end = Math.min(x.length, start + step);
      parts.push({ start, end, at: (address) => [address, (end - start) / S, S, C, (start / S) % C] });
    }
    return parts;
  }
  for (let run = 0; run < N * C; run++)
    for (let start = run * S; start < (run + 1) * S; start += most) {
      const end = Math.min((run + 1) * S, start + most);
      parts.push({ start, end, at: (address) => [address, 1, end - start, C, run % C] });
    }
  return parts;
}

/** The order of a second pass, which starts with the pieces that the cache still holds. */
function lastFirst(parts: readonly Part[]): Part[] {
  return [...parts].reverse();
}

type ChannelKernels = Pick<Kernels, 'sumPerChannel' | 'moments' | 'normalize' | 'normalizeSums' | 'normalizeBackward'>;

export function channelsIn(memory: Memory): ChannelKernels {
  const roomFor = (x: FloatArray, parts: readonly Part[]) =>
    memory.take((parts[0].end - parts[0].start) * x.BYTES_PER_ELEMENT);

  /**
   * A list of C float64 zeros, followed by a spare cache line. Without it, lists of 512 would share the sets of the
   * first-level cache with every row of 512, and the sums of backward would take 1.7 times as long.
   */
  function zeros(C: number): number {
    const address = memory.take(8 * C + 64);
    memory.clear(address, 8 * C);
    return address;
  }

  /** Writes lists of channel values in x's dtype, one after the other. The mean takes two lists; see `split`. */
  function putLists(x: FloatArray, C: number, mean: Float64Array, ...others: Float64Array[]): number {
    const bytes = C * x.BYTES_PER_ELEMENT;
    const address = memory.take((2 + others.length) * bytes);
    memory.of(x).split(memory.put(mean), C, address, address + bytes);
    const List = x instanceof Float32Array ? Float32Array : Float64Array;
    others.forEach((values, i) => {
      memory.write(address + (2 + i) * bytes, List.from(values));
    });
    return address;
  }

  return {
    sumPerChannel(x, sums, shape) {
      memory.scope(() => {
        const parts = partsOf(x, shape);
        const totals = new Float64Array(shape.C);
        const [piece, sum] = [roomFor(x, parts), zeros(shape.C)];
        for (const { start, end, at } of parts) {
          memory.write(piece, x.subarray(start, end));
          memory.of(x).sums(...at(piece), sum);
        }
        memory.read(sum, totals);
        sums.set(totals);
      });
    },

    moments(x, shape, mean, variance) {
      const { N, C, S } = shape;
      const count = N * S;
      const [origins, sums] = [new Float64Array(C), new Float64Array(C)];
      memory.scope(() => {
        const parts = partsOf(x, shape);
        const piece = roomFor(x, parts);
        // The elements of a list are processed in pairs.
        const lists = Array.from({ length: MOMENTS_LISTS }, () => zeros(C + (C % 2)));
        const state = memory.put(Int32Array.from(lists));
        for (const { start, end, at } of parts) {
          memory.write(piece, x.subarray(start, end));
          memory.of(x).moments(...at(piece), state);
        }
        memory.read(lists[ORIGINS], origins);
        memory.read(lists[SUMS], sums);
        memory.read(lists[SQUARES], variance);
      });
      for (let c = 0; c < C; c++) {
        mean[c] = origins[c] + sums[c] / count;
        variance[c] /= count;
      }
    },

    normalize(x, shape, by, out) {
      const { C } = shape;
      const { mean, rstd, gamma, beta } = by;
      const scale = gamma ? rstd.map((value, c) => value * gamma[c]) : rstd;
      const shift = beta ? Float64Array.from(beta) : new Float64Array(C);
      memory.scope(() => {
        const parts = partsOf(x, shape);
        const piece = roomFor(x, parts);
        const lists = putLists(x, C, mean, scale, shift);
        for (const { start, end, at } of lastFirst(parts)) {
          memory.write(piece, x.subarray(start, end));
          memory.of(x).normalize(...at(piece), lists);
          memory.read(piece, out.subarray(start, end));
        }
      });
    },

    normalizeSums(x, dout, shape, by, sums, products) {
      const { C } = shape;
      memory.scope(() => {
        const parts = partsOf(x, shape);
        const [pieceX, piece] = [roomFor(x, parts), roomFor(x, parts)];
        const [sum, product] = [zeros(C), zeros(C)];
        const lists = memory.put(Int32Array.of(memory.put(by.mean), sum, product));
        for (const { start, end, at } of parts) {
          memory.write(pieceX, x.subarray(start, end));
          memory.write(piece, dout.subarray(start, end));
          memory.of(x).normalizeSums(pieceX, ...at(piece), lists);
        }
        memory.read(sum, sums);
        memory.read(product, products);
      });
      for (let c = 0; c < C; c++) products[c] *= by.rstd[c];
    },

    normalizeBackward(x, dout, shape, by, dx) {
      const slope = by.rstd.map((value, c) => value * by.meanProduct[c]);
      memory.scope(() => {
        const parts = partsOf(x, shape);
        const [pieceX, piece] = [roomFor(x, parts), roomFor(x, parts)];
        const lists = putLists(x, shape.C, by.mean, slope, by.meanDout, by.scale);
        for (const { start, end, at } of lastFirst(parts)) {
          memory.write(pieceX, x.subarray(start, end));
          memory.write(piece, dout.subarray(start, end));
          memory.of(x).normalizeBackward(pieceX, ...at(piece), lists);
          memory.read(piece, dx.subarray(start, end));
        }
      });
    },
  };
}
