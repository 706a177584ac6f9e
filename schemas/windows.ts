import { Type } from '@sinclair/typebox';

/** Above this, sums of sizes would exceed the 53 bits in which integers are exact. */
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

/** Padding before and after. TypeBox writes tuples as in draft-07, which OpenAPI 3.1 does not support. */
const PadPair = Type.Unsafe<[number, number]>(Type.Array(Pad, { minItems: 2, maxItems: 2 }));

const PadOrPair = Type.Union([Pad, PadPair], {
  'x-expects': `an integer from 0 to ${LARGEST}, or a pair of them, [before, after]`,
});

export const Padding = Type.Union(
  [
    Type.Literal('valid'),
    Type.Literal('same'),
    Type.Literal('same_lower'),
    Pad,
    Type.Array(PadOrPair, { minItems: 1, maxItems: 3 }),
  ],
  {
    default: 0,
    description:
      'Padding of the spatial axes: one integer for all, one per axis, a [before, after] pair per axis, "valid" (none), "same" (the output size is ceil(input / stride), and odd padding has its extra element after the input) or "same_lower" (the same, with the extra element before the input).',
    'x-expects': `an integer from 0 to ${LARGEST}, an array of one to three of integers or [before, after] pairs, "valid", "same" or "same_lower"`,
  },
);
