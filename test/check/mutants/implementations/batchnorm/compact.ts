/** Batch normalisation on flattened [m, C] rows, with the gradient simplified by hand to one line. */
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

function flatten(x: Nested): number[] {
  return Array.isArray(x) ? x.flatMap(flatten) : [x];
}

/** One row of C values for each sample and place. */
function toRows(x: Nested): number[][] {
  const rows: number[][] = [];
  for (const sample of x as Nested[][]) {
    const channels = sample.map(flatten);
    for (let s = 0; s < channels[0].length; s++) rows.push(channels.map((channel) => channel[s]));
  }
  return rows;
}

function fromRows(rows: number[][], like: Nested): Nested {
  const samples = like as Nested[][];
  const S = rows.length / samples.length;
  return samples.map((sample, n) =>
    sample.map((channel, c) => {
      let row = n * S;
      const take = (part: Nested): Nested => (Array.isArray(part) ? part.map(take) : rows[row++][c]);
      return take(channel);
    }),
  );
}

function normalize(x: number[][], mean: number[], rstd: number[]): number[][] {
  return x.map((row) => row.map((value, c) => (value - mean[c]) * rstd[c]));
}

function columnSums(a: number[][]): number[] {
  const sums = a[0].map(() => 0);
  for (const row of a) row.forEach((value, c) => (sums[c] += value));
  return sums;
}

function forward(x: number[][], given: Given) {
  const { training, epsilon, momentum } = given;
  const m = x.length;
  let mean = given.running_mean ?? [];
  let variance = given.running_var ?? [];
  let [running_mean, running_var] = [given.running_mean, given.running_var];
  if (training) {
    mean = columnSums(x).map((sum) => sum / m);
    const squares = x.map((row) => row.map((value, c) => (value - mean[c]) * (value - mean[c])));
    variance = columnSums(squares).map((sum) => sum / m);
    running_mean = running_mean?.map((old, c) => old + momentum * (mean[c] - old));
    running_var = running_var?.map((old, c) => old + momentum * ((variance[c] * m) / (m - 1) - old));
  }
  const rstd = variance.map((v) => (v + epsilon) ** -0.5);
  const xhat = normalize(x, mean, rstd);
  const out = xhat.map((row) => row.map((value, c) => value * (given.gamma?.[c] ?? 1) + (given.beta?.[c] ?? 0)));
  return { out, mean, variance, running_mean, running_var, cache: { xhat, rstd } };
}

function backward(dout: number[][], { xhat, rstd }: { xhat: number[][]; rstd: number[] }, given: Given) {
  const m = dout.length;
  const dbeta = columnSums(dout);
  const dgamma = columnSums(dout.map((row, i) => row.map((value, c) => value * xhat[i][c])));
  const dxhat = dout.map((row) => row.map((value, c) => value * (given.gamma?.[c] ?? 1)));
  if (!given.training) return { dx: dxhat.map((row) => row.map((value, c) => value * rstd[c])), dgamma, dbeta };

  const sums = columnSums(dxhat);
  const products = columnSums(dxhat.map((row, i) => row.map((value, c) => value * xhat[i][c])));
  const dx = dxhat.map((row, i) =>
    row.map((value, c) => (rstd[c] / m) * (m * value - sums[c] - xhat[i][c] * products[c])),
  );
  return { dx, dgamma, dbeta };
}

export default function batchnorm(given: Given): Answers {
  const { out, mean, variance, running_mean, running_var, cache } = forward(toRows(given.x), given);
  const answers: Record<string, Nested> = { out: fromRows(out, given.x), mean, var: variance };
  if (running_mean) answers.running_mean = running_mean;
  if (running_var) answers.running_var = running_var;
  if (given.dout === undefined) return answers;

  const { dx, dgamma, dbeta } = backward(toRows(given.dout), cache, given);
  answers.dx = fromRows(dx, given.x);
  if (given.gamma) answers.dgamma = dgamma;
  if (given.beta) answers.dbeta = dbeta;
  return answers;
}
