/** Mistakes of a convolution that begin forward, plain or transposed; most show in the gradients too. */
import { sizeOf } from '../../../tensor/tensor.js';
import type { Mistake } from '../../definition.js';
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

/** Orders in which the axes of a kernel may be taken. */
type Order = (sizes: readonly number[]) => readonly number[];
const reversed: Order = (sizes) => sizes.toReversed();
const lastExchanged: Order = (sizes) => [...sizes.slice(0, -2), ...sizes.slice(-2).reverse()];
const firstExchanged: Order = (sizes) => [...sizes.slice(0, 2).reverse(), ...sizes.slice(2)];

const channelsSummed = (s: State) => (s.transposed ? s.B : s.A);

export const forwardMistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'kernel_flipped',
    tensors: ALL,
    explanation: 'The kernel was turned by 180°: this is convolution in the sense of mathematics.',
    fix: 'out[p] = Σ_k x[p · stride − before + k · dilation] · weight[k], which is cross-correlation',
    hidden: 'the kernel is symmetric',
    needs: { transposed: false },
    ways: [everywhere(() => ({ tap: turned }))],
  },
  {
    id: 'kernel_axes_exchanged',
    tensors: ALL,
    explanation: 'The kernel was transposed: its spatial axes are exchanged.',
    fix: 'the last axes of weight are those of the kernel, in the order of the axes of x',
    hidden: 'the kernel is symmetric',
    axes: 2,
    ways: [reversed, lastExchanged, firstExchanged].map((order) =>
      everywhere(() => ({ tap: (k, kernel) => indexIn(order(kernel), order(k)) })),
    ),
  },
  {
    id: 'channels_exchanged',
    tensors: ALL,
    explanation: 'In- and out-channels of the weight were exchanged: it was read as [C, O, …].',
    fix: 'weight is [O, C/groups, *kernel]',
    hidden: 'there is one channel on one of the sides',
    needs: { transposed: false },
    ways: [everywhere((s) => ({ plane: (b, a) => planeExchanged(s, b, a) }))],
  },
  {
    id: 'groups_ignored',
    tensors: ALL,
    explanation: 'Every group read the channels of the first one, or wrote to them.',
    fix: 'group g reads the channels from g · C/groups on, and writes those from g · O/groups on',
    hidden: 'groups is 1',
    ways: [
      everywhere(() => ({ foldedChannel: (_, a) => a })),
      everywhere(() => ({ windowedChannel: (_, b) => b })),
      // The weight's planes too.
      everywhere((s) => ({ windowedChannel: (_, b) => b, plane: (b, a) => (b % s.B) * s.A + a })),
    ],
  },
  {
    id: 'groups_interleaved',
    tensors: ALL,
    explanation: 'Channels were dealt to the groups in turn: channel c to group c mod groups.',
    fix: 'a group is a block of neighbouring channels: group g has those from g · C/groups on',
    hidden: 'groups is 1, or as many as there are channels',
    ways: [
      everywhere((s) => ({ foldedChannel: (g, a) => a * s.groups + g })),
      everywhere((s) => ({ windowedChannel: (g, b) => b * s.groups + g })),
    ],
  },
  {
    id: 'padding_side',
    tensors: ALL,
    explanation: 'The pad that should stand before the input stands after it: an odd pad is on the wrong side.',
    fix: 'padding "same" puts an odd pad after the input, "same_lower" before it',
    hidden: 'both pads are alike',
    ways: [everywhere((s) => axesWith(s, ({ before, after }) => ({ before: after, after: before })))],
  },
  {
    id: 'padding_replicated',
    tensors: ALL,
    explanation: 'The padding repeats the border of the input, where it should be zeros.',
    fix: 'taps in the padding count as 0',
    hidden: 'padding is 0',
    needs: { transposed: false },
    ways: [everywhere(() => ({ outside: (place, size) => Math.min(Math.max(place, 0), size - 1) }))],
  },
  {
    id: 'padding_reflected',
    tensors: ALL,
    explanation: 'The padding mirrors the input at its border, where it should be zeros.',
    fix: 'taps in the padding count as 0',
    hidden: 'padding is 0',
    needs: { transposed: false },
    ways: [
      everywhere(() => ({
        outside: (place, size) => {
          const mirrored = place < 0 ? -place : 2 * (size - 1) - place;
          return mirrored >= 0 && mirrored < size ? mirrored : undefined;
        },
      })),
    ],
  },
  {
    id: 'padding_wrapped',
    tensors: ALL,
    explanation: 'The input was taken for a ring: a negative index reads from its far end.',
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
    ways: [{ given: ({ bias }) => ({ bias: new Float64Array(bias.length) }) }],
  },
  {
    id: 'bias_at_every_tap',
    tensors: ['out'],
    explanation: 'The bias was added for every channel or tap of the sum, not once for each result.',
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
          // For the taps alone that lie in the input, or that reach the place.
          out: (s: State) => {
            const times = gathered(sizeOf(s.outShape), s.walk, (into, f, w) => into[s.transposed ? f : w]++);
            return s.sums.map((value, i) => value + times[i] * s.bias[channelOf(s, i)]);
          },
        },
      }),
  },
];
