/** Batch normalisation in nested loops over scalars, with the gradients of the paper (Ioffe and Szegedy, section 3). */
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

/** [N, C, *] as [N, C, S]. */
function toPlanes(x: Nested): number[][][] {
  return (x as Nested[][]).map((sample) => sample.map(flatten));
}

function nestLike(like: Nested, planes: number[][][]): Nested {
  const values = flatten(planes);
  let next = 0;
  const take = (part: Nested): Nested => (Array.isArray(part) ? part.map(take) : values[next++]);
  return take(like);
}

const zeros = (n: number) => Array<number>(n).fill(0);

export default function batchnorm(given: Given): Answers {
  const { gamma, beta, running_mean, running_var, training, epsilon, momentum } = given;
  const x = toPlanes(given.x);
  const [N, C, S] = [x.length, x[0].length, x[0][0].length];
  const m = N * S;
  const mean = zeros(C);
  const variance = zeros(C);
  const rstd = zeros(C);
  const xhat = x.map((sample) => sample.map(() => zeros(S)));
  const out = x.map((sample) => sample.map(() => zeros(S)));

  for (let c = 0; c < C; c++) {
    if (training || !running_mean || !running_var) {
      for (let n = 0; n < N; n++) for (let s = 0; s < S; s++) mean[c] += x[n][c][s] / m;
      for (let n = 0; n < N; n++) for (let s = 0; s < S; s++) variance[c] += (x[n][c][s] - mean[c]) ** 2 / m;
    } else {
      mean[c] = running_mean[c];
      variance[c] = running_var[c];
    }
    // A constant channel without epsilon is normalised to 0.
    rstd[c] = training && variance[c] + epsilon === 0 ? 0 : 1 / Math.sqrt(variance[c] + epsilon);
    for (let n = 0; n < N; n++) {
      for (let s = 0; s < S; s++) {
        xhat[n][c][s] = (x[n][c][s] - mean[c]) * rstd[c];
        out[n][c][s] = (gamma ? gamma[c] : 1) * xhat[n][c][s] + (beta ? beta[c] : 0);
      }
    }
  }

  const answers: Record<string, Nested> = { out: nestLike(given.x, out), mean, var: variance };
  if (running_mean && running_var) {
    answers.running_mean = [...running_mean];
    answers.running_var = [...running_var];
    if (training) {
      for (let c = 0; c < C; c++) {
        const unbiased = (variance[c] * m) / (m - 1);
        answers.running_mean[c] = (1 - momentum) * running_mean[c] + momentum * mean[c];
        answers.running_var[c] = (1 - momentum) * running_var[c] + momentum * unbiased;
      }
    }
  }
  if (given.dout === undefined) return answers;

  const dout = toPlanes(given.dout);
  const dx = x.map((sample) => sample.map(() => zeros(S)));
  const dgamma = zeros(C);
  const dbeta = zeros(C);
  for (let c = 0; c < C; c++) {
    let dvar = 0;
    let dmean = 0;
    for (let n = 0; n < N; n++) {
      for (let s = 0; s < S; s++) {
        dbeta[c] += dout[n][c][s];
        dgamma[c] += dout[n][c][s] * xhat[n][c][s];
        const dxhat = dout[n][c][s] * (gamma ? gamma[c] : 1);
        dvar += dxhat * (x[n][c][s] - mean[c]) * -0.5 * rstd[c] ** 3;
        dmean += dxhat * -rstd[c];
      }
    }
    for (let n = 0; n < N; n++) {
      for (let s = 0; s < S; s++) {
        const dxhat = dout[n][c][s] * (gamma ? gamma[c] : 1);
        dx[n][c][s] = dxhat * rstd[c];
        if (training) dx[n][c][s] += (dvar * 2 * (x[n][c][s] - mean[c])) / m + dmean / m;
      }
    }
  }
  answers.dx = nestLike(given.x, dx);
  if (gamma) answers.dgamma = dgamma;
  if (beta) answers.dbeta = dbeta;
  return answers;
}
