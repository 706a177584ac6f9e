/** Batch normalisation channel by channel: each channel is a list of numbers, mapped and reduced. x is [N, C, S] or [N, C]. */
import type { Answers, Nested } from '../../definition.js';

interface Given {
  x: Nested;
  gamma?: number[] | undefined;
  beta?: number[] | undefined;
  running_mean?: number[] | undefined;
  running_var?: number[] | undefined;
  training: boolean;
  epsilon: number;
  momentum: number;
  dout?: Nested | undefined;
}

const sum = (list: number[]) => list.reduce((total, value) => total + value, 0);
const average = (list: number[]) => sum(list) / list.length;
const dot = (a: number[], b: number[]) => sum(a.map((value, i) => value * b[i]));

/** The values of each channel, over the batch and all places. */
function splitChannels(x: Nested): number[][] {
  const samples = x as Nested[][];
  if (Array.isArray(samples[0][0]) && Array.isArray(samples[0][0][0]))
    throw new Error('unsupported: more than one spatial axis');
  return samples[0].map((_, c) => samples.flatMap((sample) => sample[c] as number | number[]));
}

function joinChannels(channels: number[][], like: Nested): Nested {
  return (like as Nested[][]).map((sample, n) =>
    sample.map((plane, c) => {
      if (!Array.isArray(plane)) return channels[c][n];
      const S = plane.length;
      return channels[c].slice(n * S, (n + 1) * S);
    }),
  );
}

interface Channel {
  values: number[];
  mean: number;
  variance: number;
  std: number;
  normalized: number[];
}

function normalize(values: number[], mean: number, variance: number, epsilon: number): Channel {
  const std = Math.sqrt(variance + epsilon);
  return { values, mean, variance, std, normalized: values.map((value) => (value - mean) / std) };
}

export default function batchnorm(given: Given): Answers {
  const { x, running_mean = [], running_var = [], training, epsilon, momentum, dout } = given;
  const gamma = (c: number) => given.gamma?.[c] ?? 1;
  const beta = (c: number) => given.beta?.[c] ?? 0;

  const channels = splitChannels(x).map((values, c) => {
    if (!training) return normalize(values, running_mean[c], running_var[c], epsilon);
    const mean = average(values);
    const variance = average(values.map((value) => (value - mean) ** 2));
    return normalize(values, mean, variance, epsilon);
  });
  const out = channels.map(({ normalized }, c) => normalized.map((value) => gamma(c) * value + beta(c)));
  const answers: Record<string, Nested> = {
    out: joinChannels(out, x),
    mean: channels.map(({ mean }) => mean),
    var: channels.map(({ variance }) => variance),
  };
  if (given.running_mean) {
    const blend = (old: number, now: number) => (training ? (1 - momentum) * old + momentum * now : old);
    answers.running_mean = channels.map(({ mean }, c) => blend(running_mean[c], mean));
    answers.running_var = channels.map(({ values, mean }, c) => {
      const unbiased = sum(values.map((value) => (value - mean) ** 2)) / (values.length - 1);
      return blend(running_var[c], unbiased);
    });
  }
  if (dout === undefined) return answers;

  const gradients = splitChannels(dout);
  answers.dx = joinChannels(
    channels.map(({ normalized, std }, c) => {
      const scale = gamma(c) / std;
      if (!training) return gradients[c].map((d) => scale * d);
      const meanGradient = average(gradients[c]);
      const meanProduct = dot(gradients[c], normalized) / normalized.length;
      return gradients[c].map((d, i) => scale * (d - meanGradient - normalized[i] * meanProduct));
    }),
    x,
  );
  if (given.gamma) answers.dgamma = channels.map(({ normalized }, c) => dot(gradients[c], normalized));
  if (given.beta) answers.dbeta = gradients.map(sum);
  return answers;
}
