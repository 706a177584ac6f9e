import { Type } from '@sinclair/typebox';

/** Beyond it sums of sizes would leave the 53 bits in which they are exact. */
const LARGEST = 2 ** 31 - 1;

/** One integer for all spatial axes, or an array with one for each. */
export const PerAxis = (options: { description: string; minimum: number; default?: number }) => {
  const { minimum, ...rest } = options;
  const integer = Type.Integer({ minimum, maximum: LARGEST });
  return Type.Union([integer, Type.Array(integer, { minItems: 1, maxItems: 3 })], {
    ...rest,
    'x-expects': `an integer from ${minimum} to ${LARGEST}, or an array of one to three of them, one for each spatial axis`,
  });
};

const Pad = Type.Integer({ minimum: 0, maximum: LARGEST });

export const Padding = Type.Union(
  [
    Type.Literal('valid'),
    Type.Literal('same'),
    Type.Literal('same_lower'),
    Pad,
    Type.Array(Type.Union([Pad, Type.Tuple([Pad, Pad])]), { minItems: 1, maxItems: 3 }),
  ],
  {
    default: 0,
    description:
      'Pad of each spatial axis: an integer, one per axis, a [before, after] pair per axis, "valid" (none), "same" (the output is ceil(input / stride), an odd pad goes after) or "same_lower" (before).',
    'x-expects': `an integer from 0 to ${LARGEST}, an array of one to three of integers or [before, after] pairs, "valid", "same" or "same_lower"`,
  },
);
