/** Known mistakes in dropout, given the mask that the implementation drew. */
import type { Static } from '@sinclair/typebox';
import type { DropoutInputs, DropoutOptions, DropoutUpstream } from '../../../schemas/dropout.js';
import type { Decoded } from '../../layers/definition.js';
import { dropout as layer } from '../../layers/dropout.js';
import { tensor, type FloatArray, type MaskTensor, type Tensor } from '../../tensor/tensor.js';
import { each } from '../arrays.js';
import { dropout as bounds } from '../bounds/dropout.js';
import type { Instance, Tensors } from '../../layers/instance.js';
import { defineChecks, sharing, type Mistake } from '../definition.js';

interface Given {
  readonly training: boolean;
  readonly rate: number;
  readonly scaling: 'inverted' | 'test_time';
  readonly x: FloatArray;
  readonly dout: FloatArray;
  /** All ones in inference. */
  readonly kept: Uint8Array;
  /** The claimed dx; some mistakes are derived from it. */
  readonly claimed: Tensor | undefined;
  readonly claimedOut: Tensor | undefined;
}

interface Made {
  /** Factors in training and in inference, apart from the mask. */
  readonly trainingScale: number;
  readonly inferenceScale: number;
  readonly scale: number;
  readonly mask: FloatArray;
  readonly out: FloatArray;
  readonly backwardScale: number;
  readonly backwardMask: FloatArray;
  readonly dx: FloatArray;
}

type State = Given & Made;

/** Dropped values are 0, even if they were infinite or NaN. */
const masked = (values: FloatArray, mask: FloatArray, scale: number) =>
  each(values.length, (i) => (mask[i] ? values[i] * mask[i] * scale : 0));

const inverse = (value: number) => (value === 0 ? 0 : 1 / value);

const ones = (s: State) => each(s.x.length, () => 1);

const steps = {
  trainingScale: (s: State) => (s.scaling === 'inverted' ? inverse(1 - s.rate) : 1),
  inferenceScale: (s: State) => (s.scaling === 'inverted' ? 1 : 1 - s.rate),
  scale: (s: State) => (s.training ? s.trainingScale : s.inferenceScale),
  mask: (s: State) => Float64Array.from(s.kept),
  out: (s: State) => masked(s.x, s.mask, s.scale),
  backwardScale: (s: State) => s.scale,
  backwardMask: (s: State) => s.mask,
  dx: (s: State) => masked(s.dout, s.backwardMask, s.backwardScale),
};

/**
 * The mask that the claims imply: an element is kept if out, or dx where x is 0, is not 0. If they imply the right mask,
 * an arbitrary wrong one.
 */
const maskOfOut = (s: State) => {
  const source = (i: number) => (s.x[i] === 0 && s.claimed ? s.claimed : s.claimedOut);
  const mask = s.claimedOut && each(s.x.length, (i) => (source(i)?.data[i] ? 1 : 0));
  if (mask?.includes(0) && mask.some((kept, i) => s.x[i] && kept !== s.kept[i])) return mask;
  return each(s.x.length, (i) => (s.kept.includes(0) ? s.kept[(i + 1) % s.x.length] : i % 2));
};

const TRAINING = { training: true, scaling: 'inverted' };

const mistakes: readonly Mistake<Given, Made>[] = sharing({ tensors: ['out', 'dx'], needs: { training: true } }, [
  {
    id: 'mask_missing_in_backward',
    tensors: ['dx'],
    explanation: 'The gradient was not masked: it is nonzero where x was dropped.',
    fix: 'dx = dout · mask / (1 − rate)',
    hidden: 'nothing was dropped',
    steps: { backwardMask: ones },
  },
  {
    id: 'scale_missing_in_backward',
    tensors: ['dx'],
    explanation: 'The gradient was masked, but not divided by 1 − rate.',
    fix: 'dx = dout · mask / (1 − rate)',
    hidden: 'rate is 0',
    needs: TRAINING,
    steps: { backwardScale: () => 1 },
  },
  {
    id: 'backward_does_nothing',
    tensors: ['dx'],
    explanation: 'dout was returned unchanged, neither masked nor scaled.',
    fix: 'dx = dout · mask / (1 − rate)',
    hidden: 'rate is 0',
    needs: TRAINING,
    steps: { backwardMask: ones, backwardScale: () => 1 },
  },
  {
    id: 'mask_guessed_from_out',
    tensors: ['dx'],
    explanation: 'Backward used out ≠ 0 as the mask, so a kept 0 counts as dropped.',
    fix: 'keep the mask of forward and use it in backward',
    hidden: 'no kept element of x is 0',
    steps: { backwardMask: (s) => s.out.map((value) => (value ? 1 : 0)) },
  },
  {
    id: 'scale_missing',
    explanation: 'The kept values were not divided by 1 − rate, as if scaling were test_time.',
    fix: 'out = x · mask / (1 − rate) in training',
    hidden: 'rate is 0',
    needs: TRAINING,
    steps: { trainingScale: () => 1 },
  },
  {
    id: 'scaled_by_rate',
    explanation: 'The kept values were multiplied by rate.',
    fix: 'divide by 1 − rate',
    steps: { trainingScale: (s) => s.rate },
  },
  {
    id: 'scaled_by_one_minus_rate',
    explanation: 'The kept values were multiplied by 1 − rate, not divided by it.',
    fix: 'divide by 1 − rate',
    hidden: 'rate is 0',
    steps: { trainingScale: (s) => 1 - s.rate },
  },
  {
    id: 'scaled_by_inverse_rate',
    explanation: 'The kept values were divided by rate, as if rate were the fraction that is kept.',
    fix: 'divide by 1 − rate; rate is the fraction that is dropped',
    hidden: 'rate is 0.5',
    needs: TRAINING,
    steps: { trainingScale: (s) => inverse(s.rate) },
  },
  {
    id: 'scaled_twice',
    explanation: 'The kept values were divided by 1 − rate twice.',
    fix: 'divide by 1 − rate once',
    hidden: 'rate is 0',
    needs: TRAINING,
    steps: { trainingScale: (s) => inverse(1 - s.rate) ** 2 },
  },
  {
    id: 'scaled_in_training_for_test_time',
    explanation: 'The kept values were divided by 1 − rate, although scaling is test_time.',
    fix: 'out = x · mask in training, x · (1 − rate) in inference',
    hidden: 'rate is 0',
    needs: { training: true, scaling: 'test_time' },
    steps: { trainingScale: (s) => inverse(1 - s.rate) },
  },
  {
    id: 'mask_inverted',
    explanation: 'The mask was inverted: values that should have been dropped were kept, and vice versa.',
    fix: 'mask is 1 where x is kept',
    steps: { mask: (s) => Float64Array.from(s.kept, (value) => 1 - value) },
  },
  {
    id: 'not_dropped_in_training',
    explanation: 'Nothing was dropped in training: out is x.',
    fix: 'out = x · mask / (1 − rate) in training',
    hidden: 'nothing was dropped',
    needs: TRAINING,
    steps: { mask: ones, trainingScale: () => 1 },
  },
  {
    id: 'scaled_without_mask',
    tensors: ['out'],
    explanation: 'x was divided by 1 − rate, but not masked.',
    fix: 'out = x · mask / (1 − rate) in training',
    hidden: 'nothing was dropped',
    needs: TRAINING,
    steps: { mask: ones },
  },
  {
    id: 'scaled_in_inference_too',
    explanation: 'x was scaled in inference, although training already compensates for the dropped values.',
    fix: 'out = x in inference',
    hidden: 'rate is 0',
    needs: { training: false, scaling: 'inverted' },
    ways: [(s: State) => 1 - s.rate, (s: State) => inverse(1 - s.rate)].map((inferenceScale) => ({
      steps: { inferenceScale },
    })),
  },
  {
    id: 'not_scaled_in_inference',
    explanation: 'x was returned unchanged in inference, although scaling is test_time.',
    fix: 'out = x · (1 − rate) in inference',
    hidden: 'rate is 0',
    needs: { training: false, scaling: 'test_time' },
    steps: { inferenceScale: () => 1 },
  },
  {
    id: 'scaled_by_rate_in_inference',
    explanation: 'x was multiplied by rate in inference.',
    fix: 'out = x · (1 − rate) in inference',
    hidden: 'rate is 0.5',
    needs: { training: false, scaling: 'test_time' },
    steps: { inferenceScale: (s) => s.rate },
  },
  {
    id: 'dropped_in_inference',
    explanation: 'Values were dropped in inference, as in training.',
    fix: 'out = x in inference, or x · (1 − rate) where scaling is test_time',
    hidden: 'nothing was dropped',
    needs: { training: false },
    ways: [(s: State) => inverse(1 - s.rate), () => 1].map((inferenceScale) => ({
      isFitted: true,
      steps: { mask: maskOfOut, inferenceScale },
    })),
  },
  // Derived from the claim, and therefore last.
  {
    id: 'new_mask_in_backward',
    tensors: ['dx'],
    explanation: 'Backward drew a new mask: the gradient was dropped at different positions than x.',
    fix: 'keep the mask of forward and use it in backward',
    hidden: 'both masks happen to be equal',
    ways: [1, 0].map((scaled) => ({
      isFitted: true,
      steps: {
        backwardMask: (s: State) =>
          s.claimed ? Float64Array.from(s.claimed.data, (value) => (value ? 1 : 0)) : s.mask,
        backwardScale: (s: State) => (scaled || !s.claimed ? s.scale : 1),
      },
    })),
  },
  {
    id: 'another_mask_in_forward',
    tensors: ['out'],
    explanation: 'Forward used another mask: out was dropped at different positions than the given mask.',
    fix: 'send the mask that forward used as forward.mask',
    hidden: 'both masks happen to be equal',
    isFitted: true,
    steps: { mask: maskOfOut },
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

function given({ inputs, options, upstream, drawn }: Instance, claims: Tensors, right: Tensors): Given {
  const { x } = inputs as Decoded<typeof DropoutInputs>;
  const { dout } = upstream as Partial<Decoded<typeof DropoutUpstream>>;
  const { rate, training, scaling } = options as Static<typeof DropoutOptions>;
  const claimOf = (name: string) =>
    name in claims && claims[name].data.length === x.data.length ? claims[name] : undefined;
  const { mask = right.mask } = drawn as { mask?: MaskTensor };
  return {
    training,
    rate,
    scaling,
    x: x.data,
    dout: dout?.data ?? new Float64Array(x.data.length),
    kept: training ? Uint8Array.from(mask.data) : new Uint8Array(x.data.length).fill(1),
    claimed: claimOf('dx'),
    claimedOut: claimOf('out'),
  };
}

export const dropout = defineChecks<Given, Made>({
  layer,
  bounds,
  given,
  steps,
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
