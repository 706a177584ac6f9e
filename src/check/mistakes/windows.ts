/** What the checks of layers with windows share. */
import type { Tensors } from '../../layers/instance.js';
import type { MistakeText } from '../definition.js';
import type { WindowAxis } from '../../tensor/windows.js';

/** An output of another size is computed only if it is not much larger. */
const MOST = 2;

/**
 * The axes with as many windows as a claimed output has or, without one, with one less along the last axis that has two.
 *
 * @param size what is claimed: the number of windows, or of elements that they lie on
 * @returns undefined if the claim has as many, or is no such output
 */
export function asClaimed(
  axes: readonly WindowAxis[],
  size: 'output' | 'input',
  claims: Tensors,
): WindowAxis[] | undefined {
  const right = axes.map((axis) => axis[size]);
  const last = right.findLastIndex((count) => count > 1);
  const claimed = 'out' in claims ? claims.out.shape.slice(2) : right.map((count, i) => count - (i === last ? 1 : 0));
  if (claimed.length !== right.length || claimed.every((count, i) => count === right[i])) return undefined;
  if (claimed.some((count, i) => count < 1 || count > MOST * right[i] + MOST)) return undefined;
  return axes.map((axis, i) => ({ ...axis, [size]: claimed[i] }));
}

/** A wrong size of out, where each value is that of the window in its place. */
export const numberOfWindows: MistakeText = {
  id: 'number_of_windows',
  tensors: ['out'],
  explanation: 'out has the wrong size, but each of its values is that of the window at its position.',
  fix: 'let out have one value for each window: count those that fit along each axis',
  hidden: 'there is one window',
};
