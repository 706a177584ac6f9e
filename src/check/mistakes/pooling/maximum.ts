/** Known mistakes in a maximum, in its gradient and in its position. */
import { planOf } from '../../../formulas/layers/pooling.js';
import { windowCounts, windowTable } from '../../../formulas/windows.js';
import type { Instance } from '../../../layers/instance.js';
import { indexOf } from '../../compare.js';
import { sharing, type Mistake } from '../../define.js';

/** 1 for each tap that holds the maximum of its window. */
const TIED = '(1 − positive(out − x[n,c,at]))';

const FIRST_MAXIMUM = 'pass the gradient only to the first maximum of the window';
const NO_TIES = 'no window has two equal maxima';
const ONE_ELEMENT = 'a window has one element';

const ofValues: readonly Mistake[] = sharing({ needs: { mode: 'max' } }, [
  {
    id: 'ties_all_take_the_gradient',
    tensors: ['dx'],
    explanation:
      'Each of several equal maxima received the full gradient, as with x == max: it is counted more than once.',
    fix: FIRST_MAXIMUM,
    hidden: NO_TIES,
    formulas: [`dx[n,c,at] += dout · ${TIED}`],
  },
  {
    id: 'ties_share_the_gradient',
    tensors: ['dx'],
    explanation: 'Equal maxima share the gradient.',
    fix: FIRST_MAXIMUM,
    hidden: NO_TIES,
    formulas: [`dx[n,c,at] += dout · ${TIED} / Σ_k positive(at + 1) · ${TIED}`],
  },
  {
    id: 'maximum_over_zero_padding',
    tensors: ['out', 'dx'],
    explanation: 'Taps outside the input counted as zeros, which exceed negative values at the border.',
    fix: 'taps outside the input count as −∞ for a maximum',
    hidden: 'no window at the border is all negative',
    concerns: [['padding', 'ceil_mode']],
    // With taps past the end counted as zeros, too, or left out.
    ways: [undefined, paddingOnly].map((given) => ({
      ...(given ? { given } : {}),
      formulas: [
        'out = x[n,c,place] + positive(pads) · relu(−x[n,c,place])',
        'dx = dout · (1 − positive(pads) · positive(−x[n,c,place]))',
      ],
    })),
  },
  {
    id: 'largest_magnitude',
    tensors: ['out', 'dx', 'indices'],
    explanation: 'The value of largest magnitude was selected, regardless of its sign.',
    fix: 'take the maximum; −2 is less than 1',
    hidden: 'no value is negative',
    formulas: ['best = argmax_k x[n,c,at]²'],
  },
  {
    id: 'gradient_to_the_whole_window',
    tensors: ['dx'],
    explanation: 'Every element of a window received the gradient of its maximum.',
    fix: FIRST_MAXIMUM,
    hidden: ONE_ELEMENT,
    formulas: ['dx[n,c,at] += dout'],
  },
  {
    id: 'gradient_of_the_average',
    tensors: ['dx'],
    explanation: 'The gradient was spread evenly over each window, as in average pooling.',
    fix: FIRST_MAXIMUM,
    hidden: ONE_ELEMENT,
    formulas: ['dx[n,c,at] += dout / taps'],
  },
  {
    id: 'gradient_to_the_first_tap',
    tensors: ['dx'],
    explanation: 'The gradient went to the start of each window, not to its maximum.',
    fix: 'if the maximum of window p is tap k, its position is p · stride − before + k · dilation',
    hidden: 'every maximum is the first of its window',
    ways: [
      { formulas: ['to = at[p,0]'] },
      // The first tap in the input.
      { formulas: ['best = argmax_k positive(at + 1)'], only: 'backward' },
    ],
  },
  {
    id: 'gradient_times_the_maximum',
    tensors: ['dx'],
    explanation: 'dout was multiplied by the maximum itself.',
    fix: 'do not multiply: the derivative of a maximum with respect to the largest element is 1',
    formulas: ['dx = dout · out'],
  },
]);

const ofIndices: readonly Mistake[] = sharing({ tensors: ['indices'], needs: { mode: 'max', return_indices: true } }, [
  {
    id: 'indices_from_one',
    explanation: 'indices start at 1, as in MATLAB, Julia and R.',
    fix: 'start at 0',
    formulas: ['indices = index[p,best] + 1'],
  },
  {
    id: 'indices_in_columns',
    explanation: 'indices are column-major: the first spatial axis varies fastest.',
    fix: 'index row-major in the plane of x: the last axis varies fastest',
    hidden: 'both orders give every maximum the same index',
    axes: 2,
    given: (instance) => {
      const { axes } = planOf(instance);
      const sizes = axes.map(({ input }) => input);
      const inColumns = (place: number) =>
        indexOf(place, sizes).reduceRight((at, index, axis) => at * sizes[axis] + index, 0);
      return { given: { index: windowTable(axes).map((place) => (place < 0 ? place : inColumns(place))) } };
    },
  },
  {
    id: 'indices_in_the_tensor',
    explanation: 'indices run through the whole tensor, including batch and channels.',
    fix: 'index row-major within each plane of x, starting at 0',
    hidden: 'there is one plane',
    formulas: ['indices = start + index[p,best]'],
  },
]);

/** The taps in the padding, without those past its end. */
function paddingOnly(instance: Instance) {
  const { axes } = planOf(instance);
  const inside = windowCounts(axes, false);
  return { given: { pads: windowCounts(axes, true).map((count, p) => count - inside[p]) } };
}

export const maximumMistakes = [...ofValues, ...ofIndices];
