/** How dropout goes wrong, with the mask that the implementation drew. */
import type { Static } from '@sinclair/typebox';
import type { DropoutInputs, DropoutOptions, DropoutUpstream } from '../../../schemas/dropout.js';
import type { Decoded } from '../../layers/definition.js';
import { dropout as layer } from '../../layers/dropout.js';
import type { FloatArray, MaskTensor, Tensor } from '../../tensor/tensor.js';
import { each } from '../arrays.js';
import { defineChecks, type Call, type Mistake, type Tensors } from '../definition.js';

interface Given {
  readonly training: boolean;
  readonly rate: number;
  readonly scaling: 'inverted' | 'test_time';
  readonly x: FloatArray;
  readonly dout: FloatArray;
  /** All ones in inference. */
  readonly kept: Uint8Array;
  /** What the person's own backward gave: some mistakes are read from it. */
  readonly claimed: Tensor | undefined;
  readonly claimedOut: Tensor | undefined;
}

interface Made {
  /** What is multiplied by in each phase, beside the mask. */
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

/** What is dropped is 0 whatever it was. */
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

/** Where out is not 0. Where that says nothing: a mask that is as good as any. */
const maskOfOut = (s: State) => {
  // What is 0 itself was dropped where its gradient was.
  const source = (i: number) => (s.x[i] === 0 && s.claimed ? s.claimed : s.claimedOut);
  const mask = s.claimedOut && each(s.x.length, (i) => (source(i)?.data[i] ? 1 : 0));
  if (mask?.includes(0) && mask.some((kept, i) => s.x[i] && kept !== s.kept[i])) return mask;
  return each(s.x.length, (i) => (s.kept.includes(0) ? s.kept[(i + 1) % s.x.length] : i % 2));
};

const TRAINING = { training: true, scaling: 'inverted' };
const BOTH = ['out', 'dx'];

const mistakes: readonly Mistake<Given, Made>[] = [
  {
    id: 'mask_missing_in_backward',
    tensors: ['dx'],
    explanation: 'The gradient was not masked: it is nonzero where x was dropped.',
    fix: 'dx = dout · mask / (1 − rate)',
    hidden: 'nothing was dropped',
    needs: { training: true },
    ways: [{ steps: { backwardMask: ones } }],
  },
  {
    id: 'scale_missing_in_backward',
    tensors: ['dx'],
    explanation: 'The gradient was masked, but not divided by 1 − rate.',
    fix: 'dx = dout · mask / (1 − rate)',
    hidden: 'rate is 0',
    needs: TRAINING,
    ways: [{ steps: { backwardScale: () => 1 } }],
  },
  {
    id: 'backward_does_nothing',
    tensors: ['dx'],
    explanation: 'dout was handed on as it came: neither masked nor scaled.',
    fix: 'dx = dout · mask / (1 − rate)',
    hidden: 'rate is 0',
    needs: TRAINING,
    ways: [{ steps: { backwardMask: ones, backwardScale: () => 1 } }],
  },
  {
    id: 'mask_guessed_from_out',
    tensors: ['dx'],
    explanation: 'Backward took out ≠ 0 for the mask: a kept 0 looks as if it had been dropped.',
    fix: 'keep the mask of forward and use it in backward',
    hidden: 'x has no 0 among what was kept',
    needs: { training: true },
    ways: [{ steps: { backwardMask: (s) => s.out.map((value) => (value ? 1 : 0)) } }],
  },
  {
    id: 'scale_missing',
    tensors: BOTH,
    explanation: 'What was kept was not divided by 1 − rate, as dropout with scaling at test time has it.',
    fix: 'out = x · mask / (1 − rate) in training',
    hidden: 'rate is 0',
    needs: TRAINING,
    ways: [{ steps: { trainingScale: () => 1 } }],
  },
  {
    id: 'scaled_by_rate',
    tensors: BOTH,
    explanation: 'What was kept was multiplied by rate.',
    fix: 'divide by 1 − rate',
    needs: { training: true },
    ways: [{ steps: { trainingScale: (s) => s.rate } }],
  },
  {
    id: 'scaled_by_one_minus_rate',
    tensors: BOTH,
    explanation: 'What was kept was multiplied by 1 − rate, not divided by it.',
    fix: 'divide by 1 − rate',
    hidden: 'rate is 0',
    needs: { training: true },
    ways: [{ steps: { trainingScale: (s) => 1 - s.rate } }],
  },
  {
    id: 'scaled_by_inverse_rate',
    tensors: BOTH,
    explanation: 'What was kept was divided by rate: the keep probability was taken for the rate.',
    fix: 'divide by 1 − rate; rate is the fraction that is dropped',
    hidden: 'rate is 0.5',
    needs: TRAINING,
    ways: [{ steps: { trainingScale: (s) => inverse(s.rate) } }],
  },
  {
    id: 'scaled_twice',
    tensors: BOTH,
    explanation: 'What was kept was divided by 1 − rate twice.',
    fix: 'divide by 1 − rate once',
    hidden: 'rate is 0',
    needs: TRAINING,
    ways: [{ steps: { trainingScale: (s) => inverse(1 - s.rate) ** 2 } }],
  },
  {
    id: 'scaled_in_training_for_test_time',
    tensors: BOTH,
    explanation: 'What was kept was divided by 1 − rate, though scaling is test_time.',
    fix: 'out = x · mask in training, x · (1 − rate) in inference',
    hidden: 'rate is 0',
    needs: { training: true, scaling: 'test_time' },
    ways: [{ steps: { trainingScale: (s) => inverse(1 - s.rate) } }],
  },
  {
    id: 'mask_inverted',
    tensors: BOTH,
    explanation: 'What should have been dropped was kept, and the other way round.',
    fix: 'mask is 1 where x is kept',
    needs: { training: true },
    ways: [{ steps: { mask: (s) => Float64Array.from(s.kept, (value) => 1 - value) } }],
  },
  {
    id: 'not_dropped_in_training',
    tensors: BOTH,
    explanation: 'Nothing was dropped in training: out is x.',
    fix: 'out = x · mask / (1 − rate) in training',
    hidden: 'nothing was dropped',
    needs: TRAINING,
    ways: [{ steps: { mask: ones, trainingScale: () => 1 } }],
  },
  {
    id: 'scaled_without_mask',
    tensors: ['out'],
    explanation: 'x was divided by 1 − rate, but not masked.',
    fix: 'out = x · mask / (1 − rate) in training',
    hidden: 'nothing was dropped',
    needs: TRAINING,
    ways: [{ steps: { mask: ones } }],
  },
  {
    id: 'scaled_in_inference_too',
    tensors: BOTH,
    explanation: 'x was scaled in inference though training has made up for it already.',
    fix: 'out = x in inference',
    hidden: 'rate is 0',
    needs: { training: false, scaling: 'inverted' },
    ways: [(s: State) => 1 - s.rate, (s: State) => inverse(1 - s.rate)].map((inferenceScale) => ({
      steps: { inferenceScale },
    })),
  },
  {
    id: 'not_scaled_in_inference',
    tensors: BOTH,
    explanation: 'x was handed on as it came in inference, though scaling is test_time.',
    fix: 'out = x · (1 − rate) in inference',
    hidden: 'rate is 0',
    needs: { training: false, scaling: 'test_time' },
    ways: [{ steps: { inferenceScale: () => 1 } }],
  },
  {
    id: 'scaled_by_rate_in_inference',
    tensors: BOTH,
    explanation: 'x was multiplied by rate in inference.',
    fix: 'out = x · (1 − rate) in inference',
    hidden: 'rate is 0.5',
    needs: { training: false, scaling: 'test_time' },
    ways: [{ steps: { inferenceScale: (s) => s.rate } }],
  },
  {
    id: 'dropped_in_inference',
    tensors: BOTH,
    explanation: 'Values were dropped in inference, as in training.',
    fix: 'out = x in inference, or x · (1 − rate) where scaling is test_time',
    hidden: 'nothing was dropped',
    needs: { training: false },
    ways: [(s: State) => inverse(1 - s.rate), () => 1].map((inferenceScale) => ({
      steps: { mask: maskOfOut, inferenceScale },
    })),
  },
  // Read from the claim, and so the last to be thought of.
  {
    id: 'new_mask_in_backward',
    tensors: ['dx'],
    explanation: 'Backward drew a mask of its own: the gradient is dropped in other places than x was.',
    fix: 'keep the mask of forward and use it in backward',
    hidden: 'both masks came out the same',
    needs: { training: true },
    ways: [1, 0].map((scaled) => ({
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
    explanation:
      'out was dropped in other places than the mask says: forward drew another one than was given, or than seed draws here.',
    fix: 'give the mask that forward drew as forward.mask',
    hidden: 'both masks came out the same',
    needs: { training: true },
    ways: [{ steps: { mask: maskOfOut } }],
  },
];

/** Of the standard deviation of how many are dropped: once in 16,000 masks. */
const DEVIATIONS = 4;

/** Beyond that, where a few values are dropped: two of sixteen at a rate of 0.01 are no wonder. */
const FEW = 2;

/** Whether so many of `count` are hardly ever dropped. */
function isUnlikely(dropped: number, count: number, rate: number): boolean {
  const apart = Math.abs(dropped - count * rate);
  if (rate === 0 || rate === 1) return apart > 0;
  return apart > DEVIATIONS * Math.sqrt(count * rate * (1 - rate)) + FEW;
}

function given({ inputs, options, upstream, drawn }: Call, claims: Tensors, right: Tensors): Given {
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
      because: 'the other of the two ways to make up for what is dropped',
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
        explanation: `mask drops ${dropped} of ${count} values, a share of ${share}, where rate is ${rate}: chance alone does not go so far.${inverted}`,
      },
    ];
  },
  forward({ inputs, options, drawn }, plan, kernels) {
    const call = layer.forward(inputs as Decoded<typeof DropoutInputs>, plan as never, kernels);
    const { mask } = drawn as { mask?: MaskTensor };
    if (!mask || options.training !== true) return call as unknown as { outputs: Tensors; cache: Tensors };
    // What backward does to dout is what forward does to x.
    const { dx: out } = layer.backward({ mask }, plan as never, { dout: inputs.x as never }, kernels);
    return { outputs: { out, mask }, cache: { mask } };
  },
  example(numbers, needs) {
    const shape = [4, 4];
    const x = numbers.tensor(shape);
    const mask = Uint8Array.from({ length: x.data.length }, () => (numbers.integer(1, 10) <= 3 ? 0 : 1));
    // A 0 that is kept, and one dropped element at least.
    mask[numbers.integer(8, 15)] = 0;
    mask[0] = 1;
    x.data[0] = 0;
    return {
      inputs: { x },
      options: { rate: 0.3, training: true, scaling: 'inverted', seed: 0, ...needs },
      upstream: ['out'],
      drawn: { mask: { dtype: 'uint8', shape, data: mask } },
    };
  },
});
