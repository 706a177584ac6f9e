/** The right values multiplied by a factor. */
import { sameShape } from '../../tensor/tensor.js';
import { areClose, mapValues } from '../compare.js';
import type { Constants } from '../definition.js';
import { isEvidence } from '../evidence.js';
import { isNearOne, ratioOf, short } from '../statistics.js';
import { alongAxes, every } from './axes.js';
import type { Claim, GenericMistake } from './definition.js';

/** One number, other than 1, by which every value was multiplied. */
function factorOf({ claimed, right, tolerance }: Claim): number | undefined {
  if (!sameShape(claimed.shape, right.shape)) return undefined;
  const ratio = ratioOf(claimed, right, tolerance);
  return ratio === null || isNearOne(ratio, claimed, tolerance) ? undefined : ratio;
}

/** Whether every value was multiplied by a given number. A factor read off a printed claim would have only its digits. */
function isTimes({ claimed, right, tolerance }: Claim, factor: number): boolean {
  return (
    sameShape(claimed.shape, right.shape) &&
    right.data.some((value) => Math.abs(value) > tolerance.atol) &&
    areClose(
      claimed,
      mapValues(right, (value) => value * factor),
      tolerance,
    )
  );
}

const near = (ratio: number, value: number) => Math.abs(ratio - value) <= 1e-6 * Math.abs(value);

/** The factors that have a name, the likelier ones first: a constant that was applied twice is a rarer mistake. */
function namedFactors(constants: Constants): readonly (readonly [name: string, value: number])[] {
  const named = Object.entries(constants)
    .filter(([, value]) => value !== 1)
    .map(([name, value]) => [name.includes(' ') ? `(${name})` : name, value] as const);
  return [
    ...named.flatMap(([name, value]) => [[name, value] as const, [`1 / ${name}`, 1 / value] as const]),
    ...named.flatMap(([name, value]) => [[`${name}²`, value ** 2] as const, [`1 / ${name}²`, 1 / value ** 2] as const]),
    ['2', 2],
    ['1 / 2', 0.5],
  ];
}

export const nameOfFactor = (ratio: number, constants: Constants): string | undefined =>
  namedFactors(constants).find(([, value]) => near(ratio, value))?.[0];

export const factors: readonly GenericMistake[] = [
  {
    id: 'negated',
    explanation: 'Every value has the wrong sign.',
    fix: 'flip the sign',
    hidden: 'all values are 0',
    fitted: 0,
    find: (claim) => (isTimes(claim, -1) ? {} : undefined),
  },
  {
    id: 'scaled',
    explanation: 'Every value is the correct value times the same factor.',
    fix: 'remove the factor',
    hidden: 'all values are 0',
    fitted: 0,
    find: (claim) => {
      const { claimed, tolerance, constants } = claim;
      const [name, ratio = factorOf(claim)] =
        namedFactors(constants).find(([, value]) => !isNearOne(value, claimed, tolerance) && isTimes(claim, value)) ??
        [];
      if (ratio === undefined) return undefined;
      // A factor without a name is fitted.
      if (!name && !isEvidence(claim.explained, 1)) return undefined;
      // A factor of 2 or ½ is more often a slip than a size that happens to be 2.
      if (name && (near(ratio, 2) || near(ratio, 0.5))) {
        const also = /^[\d /]+$/.test(name) ? '' : ` (${name} is ${short(ratio)} here, too)`;
        return {
          explanation: `Every value is ${ratio > 1 ? 'twice' : 'half'} the correct value${also}.`,
          fix: `find where the factor ${short(ratio)} is introduced, and remove it`,
        };
      }
      const factor = name ? `${name}, which is ${short(ratio)}` : short(ratio);
      return {
        explanation: `Every value is the correct value times ${factor}.`,
        fix: name ? `remove the factor ${name}` : `find where the factor ${short(ratio)} is introduced, and remove it`,
      };
    },
  },
];

export const axisFactors: readonly GenericMistake[] = [
  {
    id: 'scaled_along_an_axis',
    explanation: 'Along one axis, every value is multiplied or divided by an input that belongs to that axis.',
    fix: 'apply the input exactly as often as the formula does',
    hidden: 'the input is all ones',
    fitted: 0,
    find: (claim) =>
      alongAxes(claim, ({ along, size, claimed, right }) => {
        for (const [name, { shape, data }] of Object.entries(claim.inputs)) {
          if (shape.length !== 1 || data.length !== size) continue;
          const isTimes = (of: (value: number) => number) =>
            every(size, (i) => {
              const factor = of(data[i]);
              const scaled = mapValues(right(i), (value) => value * factor);
              return areClose(claimed(i), scaled, claim.tolerance);
            });
          const inverse = isTimes((value) => value) ? '' : '1 / ';
          if (inverse && !isTimes((value) => 1 / value)) continue;
          return {
            explanation: `Every value is the correct value times ${inverse}${name}, ${along}.`,
            fix: `remove the factor ${inverse}${name}`,
          };
        }
        return undefined;
      }),
  },
];
