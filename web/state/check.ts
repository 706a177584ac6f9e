/** `POST /{layer}/check`: the verdict on a person's results. */
import type { TensorVerdict } from '../../schemas/check.js';
import { printOf } from '../../src/check/rounding.js';
import { formatNumber } from '../tensors/format.js';
import { indicesOf, type Index, type Nested, type Tensor } from '../tensors/tensor.js';

/** An input that exposes mistakes. */
export interface Case {
  readonly forward: Readonly<Record<string, unknown>>;
  readonly backward?: Readonly<Record<string, Nested>>;
}

interface Judgement {
  readonly statistics: TensorVerdict['statistics'];
  readonly rtol: number;
  readonly atol: number;
  readonly dtype: 'float64' | 'float32';
}

/**
 * The wrong cells of a claim, each with its expected value: cells at positions that the service's statistics list
 * as wrong, whose error exceeds the tolerance and the rounding of printed digits.
 */
export function wrongCells(
  claimed: Tensor,
  expected: Tensor,
  { statistics, rtol, atol, dtype }: Judgement,
): Map<string, string> {
  const data = Float64Array.from(claimed.data);
  const print = printOf({ shape: claimed.shape, data }, dtype);
  const isElsewhere = (index: Index) => statistics?.axes.some(({ axis, wrong }) => !wrong.includes(index[axis]));
  const wrong = new Map<string, string>();
  indicesOf(expected.shape).forEach((index, i) => {
    const [mine, right] = [claimed.data[i], expected.data[i]];
    const room = atol + rtol * Math.abs(right) + (print?.room[i] ?? 0);
    if (Object.is(mine, right) || Math.abs(mine - right) <= room || isElsewhere(index)) return;
    wrong.set(index.join(), `expected ${formatNumber(right, 6)}`);
  });
  return wrong;
}
