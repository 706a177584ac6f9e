/** Known mistakes in dropout, given the mask that the implementation drew, in addition to slips in its formulas. */
import type { Static } from '@sinclair/typebox';
import type { DropoutInputs, DropoutOptions } from '../../../schemas/dropout.js';
import type { Decoded } from '../../layers/definition.js';
import { dropout as layer } from '../../layers/dropout.js';
import { tensor, type MaskTensor } from '../../tensor/tensor.js';
import { dropout as bounds } from '../bounds/dropout.js';
import type { Tensors } from '../../layers/instance.js';
import { defineChecks, sharing, type Mistake } from '../define.js';
import type { Way } from '../written.js';
import { maskOf, maskOfDx, maskOfOut } from './dropout/masks.js';

/** Backward, forward or both have it. */
const inEither = (way: Way, [forward, backward]: readonly [string, string]): readonly Way[] => [
  way,
  { ...way, only: 'forward', explanation: forward },
  { ...way, only: 'backward', explanation: backward },
];

const TRAINING = { training: true, scaling: 'inverted' };

const mistakes: readonly Mistake[] = sharing({ tensors: ['out', 'dx'], needs: { training: true } }, [
  {
    id: 'backward_does_nothing',
    tensors: ['dx'],
    explanation: 'dout was returned unchanged, neither masked nor scaled.',
    fix: 'dx = dout · mask / (1 − rate)',
    hidden: 'rate is 0',
    needs: TRAINING,
    formulas: ['dx = dout'],
  },
  {
    id: 'mask_guessed_from_out',
    tensors: ['dx'],
    explanation: 'Backward used out ≠ 0 as the mask, so a kept 0 counts as dropped.',
    fix: 'keep the mask of forward and use it in backward',
    hidden: 'no kept element of x is 0',
    ways: [
      { isThere: (value: number) => value !== 0 },
      {
        isThere: (value: number) => value > 0,
        explanation: 'Backward used out > 0 as the mask, so a kept negative value counts as dropped.',
      },
    ].map(({ isThere, ...way }) => ({
      ...way,
      given: (instance, _, right) => ({
        given: { mask: maskOf(instance, right).map((kept, i) => (isThere(instance.inputs.x.data[i]) ? kept : 0)) },
      }),
      only: 'backward',
    })),
  },
  {
    id: 'scaled_by_rate',
    explanation: 'The kept values were multiplied by rate.',
    fix: 'divide by 1 − rate',
    formulas: ['out = mask · x · rate', 'dx = mask · dout · rate'],
    // Otherwise, it is multiplied by 1 − rate as well.
    given: ({ options }) => (options.rate === 0.5 ? undefined : {}),
  },
  {
    id: 'scaled_by_inverse_rate',
    explanation: 'The kept values were divided by rate, as if rate were the fraction that is kept.',
    fix: 'divide by 1 − rate; rate is the fraction that is dropped',
    hidden: 'rate is 0.5',
    needs: TRAINING,
    ways: inEither({ formulas: ['out = mask · x / rate', 'dx = mask · dout / rate'] }, [
      'Forward divided the kept values by rate, as if rate were the fraction that is kept.',
      'Backward divided the gradient by rate, as if rate were the fraction that is kept.',
    ]),
  },
  {
    id: 'scaled_in_training_for_test_time',
    explanation: 'The kept values were divided by 1 − rate, although scaling is test_time.',
    fix: 'out = x · mask in training, x · (1 − rate) in inference',
    hidden: 'rate is 0',
    needs: { training: true, scaling: 'test_time' },
    formulas: ['out = mask · x / (1 − rate)', 'dx = mask · dout / (1 − rate)'],
  },
  {
    id: 'mask_inverted',
    explanation: 'The mask was inverted: values that should have been dropped were kept, and vice versa.',
    fix: 'mask is 1 where x is kept',
    ways: inEither(
      { given: (instance, _, right) => ({ given: { mask: maskOf(instance, right).map((kept) => 1 - kept) } }) },
      [
        'Forward inverted the mask: it kept the values that it should have dropped, and vice versa.',
        'Backward inverted the mask: the gradient passes where x was dropped, and vice versa.',
      ],
    ),
  },
  {
    id: 'not_dropped_in_training',
    explanation: 'Nothing was dropped in training: out is x.',
    fix: 'out = x · mask / (1 − rate) in training',
    hidden: 'nothing was dropped',
    needs: TRAINING,
    formulas: ['out = x', 'dx = dout'],
  },
  {
    id: 'scaled_in_inference_too',
    explanation: 'x was scaled in inference, although training already compensates for the dropped values.',
    fix: 'out = x in inference',
    hidden: 'rate is 0',
    needs: { training: false, scaling: 'inverted' },
    ways: [
      { formulas: ['out = x · (1 − rate)', 'dx = dout · (1 − rate)'] },
      { formulas: ['out = x / (1 − rate)', 'dx = dout / (1 − rate)'] },
    ],
  },
  {
    id: 'scaled_by_rate_in_inference',
    explanation: 'x was multiplied by rate in inference.',
    fix: 'out = x · (1 − rate) in inference',
    hidden: 'rate is 0.5',
    needs: { training: false, scaling: 'test_time' },
    formulas: ['out = x · rate', 'dx = dout · rate'],
  },
  {
    id: 'dropped_in_inference',
    explanation: 'Values were dropped in inference, as in training.',
    fix: 'out = x in inference, or x · (1 − rate) where scaling is test_time',
    hidden: 'nothing was dropped',
    needs: { training: false },
    ways: [
      ['out = used · x / (1 − rate)', 'dx = used · dout / (1 − rate)'],
      ['out = used · x', 'dx = used · dout'],
    ].map((formulas) => ({
      isFitted: true,
      formulas,
      given: (...all) => ({ given: { used: maskOfOut(...all) } }),
    })),
  },
  // Derived from the claim, and therefore last.
  {
    id: 'new_mask_in_backward',
    tensors: ['dx'],
    explanation: 'Backward drew a new mask: the gradient was dropped at different positions than x.',
    fix: 'keep the mask of forward and use it in backward',
    hidden: 'both masks happen to be equal',
    ways: [{}, { formulas: ['dx = mask · dout'] }].map((way) => ({
      ...way,
      isFitted: true,
      given: (...all) => {
        const mask = maskOfDx(...all);
        return mask && { given: { mask } };
      },
      only: 'backward',
    })),
  },
  {
    id: 'another_mask_in_forward',
    tensors: ['out'],
    explanation: 'Forward used another mask: out was dropped at different positions than the given mask.',
    fix: 'send the mask that forward used as forward.mask',
    hidden: 'both masks happen to be equal',
    isFitted: true,
    given: (...all) => ({ given: { mask: maskOfOut(...all) } }),
    only: 'forward',
  },
]);

/** Standard deviations of the number of dropped values: exceeded by chance once in 16,000 masks. */
const DEVIATIONS = 4;

/** Added for small numbers: two dropped values of sixteen at a rate of 0.01 are not unlikely. */
const FEW = 2;

/** Whether this many of `count` values are very rarely dropped by chance. */
function isUnlikely(dropped: number, count: number, rate: number): boolean {
  const apart = Math.abs(dropped - count * rate);
  if (rate === 0 || rate === 1) return apart > 0;
  return apart > DEVIATIONS * Math.sqrt(count * rate * (1 - rate)) + FEW;
}

export const dropout = defineChecks({
  layer,
  bounds,
  mistakes,
  axes: () => ['index'],
  constants({ options }) {
    const { rate } = options as Static<typeof DropoutOptions>;
    return { rate, '1 − rate': 1 - rate };
  },
  readings: ({ rate, scaling }) => [
    {
      option: 'scaling',
      value: scaling === 'inverted' ? 'test_time' : 'inverted',
      because: 'the other convention',
    },
    {
      option: 'rate',
      value: 1 - Number(rate),
      because: 'rate is the fraction that is dropped, not the one that is kept',
    },
  ],
  notes({ options, drawn }) {
    const { mask } = drawn as { mask?: MaskTensor };
    const { rate, training } = options as Static<typeof DropoutOptions>;
    if (!training || !mask) return [];
    const count = mask.data.length;
    const dropped = Array.from(mask.data).filter((kept) => kept === 0).length;
    if (!isUnlikely(dropped, count, rate)) return [];
    const share = Number((dropped / count).toPrecision(3));
    const inverted = isUnlikely(dropped, count, 1 - rate)
      ? ''
      : ' It is about 1 − rate: rate is the fraction that is dropped, not the one that is kept.';
    return [
      {
        id: 'mask_contradicts_rate',
        explanation: `mask drops ${dropped} of ${count} values, a fraction of ${share}, but rate is ${rate}: that is very unlikely by chance.${inverted}`,
      },
    ];
  },
  forward({ inputs, options, drawn }, plan, kernels) {
    const computed = layer.forward(inputs as Decoded<typeof DropoutInputs>, plan as never, kernels);
    const { mask } = drawn as { mask?: MaskTensor };
    if (!mask || options.training !== true) return computed as unknown as { outputs: Tensors; cache: Tensors };
    // Backward does the same to dout as forward does to x.
    const { dx: out } = layer.backward({ mask }, plan as never, { dout: inputs.x as never }, kernels);
    return { outputs: { out, mask }, cache: { mask } };
  },
  example(numbers, needs) {
    const shape = [4, 4];
    const x = numbers.tensor(shape);
    const mask = Uint8Array.from({ length: x.data.length }, () => (numbers.integer(1, 10) <= 3 ? 0 : 1));
    // Two kept zeros, and at least one dropped element.
    mask[numbers.integer(8, 15)] = 0;
    mask.fill(1, 0, 2);
    x.data.fill(0, 0, 2);
    return {
      inputs: { x },
      options: { rate: 0.3, training: true, scaling: 'inverted', seed: 0, ...needs },
      upstream: ['out'],
      drawn: { mask: tensor(shape, mask) },
    };
  },
});
