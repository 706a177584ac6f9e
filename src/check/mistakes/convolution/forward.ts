/** Mistakes in the forward pass of a convolution, plain or transposed; most show in the gradients, too. */
import { sizeOf } from '../../../tensor/tensor.js';
import { sharing, type Mistake } from '../../definition.js';
import {
  ALL,
  axesWith,
  channelOf,
  everywhere,
  gathered,
  indexIn,
  planeExchanged,
  spatial,
  turned,
  type Given,
  type Made,
  type State,
} from './walk.js';

/** Reorders the axes of a kernel. */
type Order = (sizes: readonly number[]) => readonly number[];
const reversed: Order = (sizes) => sizes.toReversed();
const lastExchanged: Order = (sizes) => [...sizes.slice(0, -2), ...sizes.slice(-2).reverse()];
const firstExchanged: Order = (sizes) => [...sizes.slice(0, 2).reverse(), ...sizes.slice(2)];

const channelsSummed = (s: State) => (s.transposed ? s.B : s.A);

export const forwardMistakes: readonly Mistake<Given, Made>[] = sharing({ tensors: ALL }, [
  {
    id: 'kernel_flipped',
    explanation: 'The kernel was rotated by 180°: this is convolution in the mathematical sense.',
    fix: 'out[p] = Σ_k x[p · stride − before + k · dilation] · weight[k], which is cross-correlation',
    hidden: 'the kernel is symmetric',
    needs: { transposed: false },
    ...everywhere(() => ({ tap: turned })),
  },
  {
    id: 'kernel_axes_exchanged',
    explanation: 'The kernel was transposed: its spatial axes are swapped.',
    fix: 'the last axes of weight are those of the kernel, in the order of the axes of x',
    hidden: 'the kernel is symmetric',
    axes: 2,
    ways: [reversed, lastExchanged, firstExchanged].map((order) =>
      everywhere(() => ({ tap: (k, kernel) => indexIn(order(kernel), order(k)) })),
    ),
  },
  {
    id: 'channels_exchanged',
    explanation: 'The input and output channels of weight were swapped: it was read as [C, O, …].',
    fix: 'weight is [O, C/groups, *kernel]',
    hidden: 'weight has one input channel or one output channel',
    needs: { transposed: false },
    ...everywhere((s) => ({ plane: (b, a) => planeExchanged(s, b, a) })),
  },
  {
    id: 'groups_ignored',
    explanation: 'Every group read the channels of the first one, or wrote to them.',
    fix: 'group g reads the channels starting at g · C/groups, and writes those starting at g · O/groups',
    hidden: 'groups is 1',
    ways: [
      everywhere(() => ({ foldedChannel: (_, a) => a })),
      everywhere(() => ({ windowedChannel: (_, b) => b })),
      // Also for the planes of the weight.
      everywhere((s) => ({ windowedChannel: (_, b) => b, plane: (b, a) => (b % s.B) * s.A + a })),
    ],
  },
  {
    id: 'groups_interleaved',
    explanation: 'Channels were assigned to the groups in turn: channel c to group c mod groups.',
    fix: 'a group is a contiguous block of channels: that of group g starts at g · C/groups',
    hidden: 'groups is 1, or groups equals the number of channels',
    ways: [
      everywhere((s) => ({ foldedChannel: (g, a) => a * s.groups + g })),
      everywhere((s) => ({ windowedChannel: (g, b) => b * s.groups + g })),
    ],
  },
  {
    id: 'padding_side',
    explanation: 'The pads before and after the input were swapped: an odd pad is on the wrong side.',
    fix: 'padding "same" puts an odd pad after the input, "same_lower" before it',
    hidden: 'both pads are equal',
    ...everywhere((s) => axesWith(s, ({ before, after }) => ({ before: after, after: before }))),
  },
  {
    id: 'padding_replicated',
    explanation: 'The padding repeats the border of the input; it should be zeros.',
    fix: 'taps in the padding count as 0',
    hidden: 'padding is 0',
    needs: { transposed: false },
    ...everywhere(() => ({ outside: (place, size) => Math.min(Math.max(place, 0), size - 1) })),
  },
  {
    id: 'padding_reflected',
    explanation: 'The padding mirrors the input at its border; it should be zeros.',
    fix: 'taps in the padding count as 0',
    hidden: 'padding is 0',
    needs: { transposed: false },
    ...everywhere(() => ({
      outside: (place, size) => {
        const mirrored = place < 0 ? -place : 2 * (size - 1) - place;
        return mirrored >= 0 && mirrored < size ? mirrored : undefined;
      },
    })),
  },
  {
    id: 'padding_wrapped',
    explanation: 'The input wraps around: a negative index reads from its far end.',
    fix: 'taps in the padding count as 0',
    hidden: 'padding is 0',
    needs: { transposed: false },
    ways: [
      everywhere(() => ({ outside: (place, size) => ((place % size) + size) % size })),
      everywhere(() => ({ outside: (place, size) => (place < 0 && place + size >= 0 ? place + size : undefined) })),
    ],
  },
  {
    id: 'bias_missing',
    tensors: ['out'],
    explanation: 'The bias was not added.',
    fix: 'out[n, o, p] = bias[o] + …',
    hidden: 'bias is 0',
    given: ({ bias }) => ({ bias: new Float64Array(bias.length) }),
  },
  {
    id: 'bias_at_every_tap',
    tensors: ['out'],
    explanation: 'The bias was added for every channel or tap of the sum, not once per output.',
    fix: 'out[n, o, p] = bias[o] + …',
    hidden: 'bias is 0',
    ways: [
      (s: State) => channelsSummed(s) * sizeOf(spatial(s.axes, 'kernel')),
      channelsSummed,
      (s: State) => sizeOf(spatial(s.axes, 'kernel')),
    ]
      .map((times) => ({
        steps: { out: (s: State) => s.sums.map((value, i) => value + times(s) * s.bias[channelOf(s, i)]) },
      }))
      .concat({
        steps: {
          // Only for the taps that lie in the input or, when transposed, that reach the position.
          out: (s: State) => {
            const times = gathered(sizeOf(s.outShape), s.walk, (into, f, w) => into[s.transposed ? f : w]++);
            return s.sums.map((value, i) => value + times[i] * s.bias[channelOf(s, i)]);
          },
        },
      }),
  },
]);
