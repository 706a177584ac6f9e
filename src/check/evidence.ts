/**
 * How much a diagnosis must explain before it is named.
 *
 * One explained element is no evidence: a value that is wrong for another reason may equal the result of some mistake
 * by chance. The rule: a mistake is named if it explains at least two wrong elements, plus one for each number or order
 * that was chosen to fit the claim. The first match may be chance; the second confirms it.
 *
 * If something is fitted to the claim, or many candidates are tried, each pair of a right and a claimed value counts
 * once: a hundred ones that became a hundred fives say no more than one. This applies to the mistakes of any layer, to
 * other values of options, and to pairs of mistakes.
 *
 * A known mistake of a layer, or a slip in its formulas, chooses nothing: it determines which elements are wrong, and
 * their values. So every wrong element counts. The exception is a claim that has one value everywhere, whose positions
 * say nothing. There, each distinct right value among the wrong elements counts once, and all correct elements count
 * once together, unless the value is 0, the result of many formulas.
 *
 * A single wrong element is evidence only if its value has many digits and equals no right value. Only elements with
 * two finite values count, because many formulas result in an infinity or a NaN.
 */
import { sameShape } from '../tensor/tensor.js';
import { isClose, type Measured, type Tolerance } from './compare.js';

const BEYOND_CHANCE = 2;

/** At most this many numbers or orders may be fitted to the claim. The second of two mistakes counts as one. */
const MOST_FITTED = 1;

/**
 * Whether a mistake that explains this many elements may be named.
 *
 * @param fitted how many numbers or orders were fitted to the claim; a factor that equals a named constant is not
 */
export function isEvidence(explained: number, fitted: 0 | 1 = 0): boolean {
  return explained >= BEYOND_CHANCE + fitted;
}

/** No mistake needs more evidence, so counting stops here. */
const ENOUGH = BEYOND_CHANCE + MOST_FITTED;

/** Two values are distinct if they differ in this many significant digits. */
const DIGITS = 6;

const digitsOf = (value: number) => value.toPrecision(DIGITS);

/** Whether both are finite, and too far apart. */
const isWrong = (claimed: Measured, right: Measured, i: number, tolerance: Tolerance) =>
  Number.isFinite(claimed.data[i]) && Number.isFinite(right.data[i]) && !isClose(claimed, i, right, i, tolerance);

/** Relative room of a value that was printed with fewer than four digits or so. */
const FEW_DIGITS = 1e-4;

/** Whether a value is unlikely by chance: it has many digits, and neither it nor its negative is a right value. */
function isSpecific(claimed: Measured, i: number, right: Measured, tolerance: Tolerance): boolean {
  const value = claimed.data[i];
  // In float32, a value that was printed with few digits has many, but room for those that were not.
  if ((claimed.room?.[i] ?? 0) > FEW_DIGITS * Math.abs(value)) return false;
  const either = { data: Float64Array.of(value, -value) };
  const isRight = (j: number) => isClose(claimed, i, right, j, tolerance) || isClose(either, 1, right, j, tolerance);
  return Number(digitsOf(value)) !== value && !right.data.some((_, j) => isRight(j));
}

/**
 * Number of wrong elements that count as evidence in a claim that a mistake equals; each pair of values counts once.
 *
 * @param isDetermined whether the mistake determines an element, for mistakes that leave some open
 */
export function explainedIn(
  claimed: Measured,
  right: Measured,
  tolerance: Tolerance,
  isDetermined: (i: number) => boolean = () => true,
): number {
  const sameShaped = sameShape(claimed.shape, right.shape);
  const pairs = new Map<string, number>();
  for (let i = 0; i < claimed.data.length && pairs.size < ENOUGH; i++) {
    const value = claimed.data[i];
    if (!Number.isFinite(value) || !isDetermined(i)) continue;
    if (!sameShaped) pairs.set(digitsOf(value), i);
    else if (isWrong(claimed, right, i, tolerance)) pairs.set(`${digitsOf(right.data[i])} ${digitsOf(value)}`, i);
  }
  // The mistake explains the wrong shape, too.
  if (!sameShaped) return pairs.size + 1;
  const [only] = pairs.values();
  return pairs.size === 1 && isSpecific(claimed, only, right, tolerance) ? BEYOND_CHANCE : pairs.size;
}

/** The same for a known mistake or a slip, which also predicts the positions of the wrong elements. */
export function explainedByPlace(claimed: Measured, right: Measured, tolerance: Tolerance): number {
  const pairs = explainedIn(claimed, right, tolerance);
  if (!sameShape(claimed.shape, right.shape) || pairs >= ENOUGH) return pairs;
  const { data } = claimed;
  let wrong = 0;
  for (let i = 0; i < data.length && wrong < ENOUGH; i++) if (isWrong(claimed, right, i, tolerance)) wrong++;
  // The position of a single element adds nothing to its value.
  if (wrong < 2) return pairs;
  const isOneValue = data.every((_, i) => isClose(claimed, i, claimed, 0, tolerance));
  if (!isOneValue) return wrong;
  const isZero = Math.abs(data[0]) <= tolerance.atol;
  const isRightSomewhere = data.some((_, i) => isClose(claimed, i, right, i, tolerance));
  return pairs + (isRightSomewhere && !isZero ? 1 : 0);
}
