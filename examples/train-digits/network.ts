/**
 * linear → batchnorm → relu → dropout → linear.
 *
 * N batch, I input features, H hidden features, K classes. The service computes the layers, forward and backward.
 * Weights and running statistics are kept here; relu, max(x, 0), is computed here, since the service has no such layer.
 */
import type { Client, Matrix, Vector } from './client.js';
import { uniform } from './random.js';

export interface Parameters {
  /** [H, I], without a bias: batchnorm would take it off again, and has beta in its place. */
  readonly weight1: Matrix;
  /** [H] */
  readonly gamma: Vector;
  /** [H] */
  readonly beta: Vector;
  /** [K, H] */
  readonly weight2: Matrix;
  /** [K] */
  readonly bias2: Vector;
}

export interface Network {
  readonly parameters: Parameters;
  /** What batchnorm normalises with in inference, [H] each. Training moves it with every batch. */
  running: { readonly running_mean: Vector; readonly running_var: Vector };
}

export interface ForwardOptions {
  readonly training: boolean;
  /** Fraction of the hidden features that is dropped in training. */
  readonly rate?: number;
  /** Decides which. */
  readonly seed?: number;
}

export interface Pass {
  /** [N, K] */
  readonly scores: Matrix;
  /** Gradients of the parameters from that of the scores. After training alone, and once: it releases the sessions. */
  readonly backward: (dscores: Matrix) => Promise<Parameters>;
}

/** PyTorch's default. */
const EPSILON = 1e-5;

export function initialNetwork({ I, H, K }: { I: number; H: number; K: number }, seed: number): Network {
  const random = uniform(seed);
  return {
    parameters: {
      weight1: initialWeight(H, I, random),
      gamma: vector(H, 1),
      beta: vector(H, 0),
      weight2: initialWeight(K, H, random),
      bias2: vector(K, 0),
    },
    running: { running_mean: vector(H, 0), running_var: vector(H, 1) },
  };
}

/** @param x [N, I] */
export async function forward(client: Client, network: Network, x: Matrix, options: ForwardOptions): Promise<Pass> {
  const { weight1, gamma, beta, weight2, bias2 } = network.parameters;
  const { training, rate = 0, seed = 0 } = options;
  const session = training;

  const linear1 = await client.post('linear/forward', { x, weight: weight1, session });
  const batchnorm = await client.post('batchnorm/forward', {
    x: linear1.out,
    gamma,
    beta,
    ...network.running,
    training,
    epsilon: EPSILON,
    session,
  });
  network.running = { running_mean: batchnorm.running_mean, running_var: batchnorm.running_var };
  const rectified = batchnorm.out.map((row) => row.map((value) => Math.max(value, 0)));
  const dropout = await client.post('dropout/forward', { x: rectified, rate, training, seed, session });
  const linear2 = await client.post('linear/forward', { x: dropout.out, weight: weight2, bias: bias2, session });

  return {
    scores: linear2.out,
    async backward(dscores) {
      const release = true;
      const d2 = await client.post('linear/backward', { session: linear2.session, dout: dscores, release });
      const dDropout = await client.post('dropout/backward', { session: dropout.session, dout: d2.dx, release });
      const dRelu = dDropout.dx.map((row, n) => row.map((value, h) => (rectified[n][h] > 0 ? value : 0)));
      const dNorm = await client.post('batchnorm/backward', { session: batchnorm.session, dout: dRelu, release });
      const d1 = await client.post('linear/backward', { session: linear1.session, dout: dNorm.dx, release });
      return { weight1: d1.dweight, gamma: dNorm.dgamma, beta: dNorm.dbeta, weight2: d2.dweight, bias2: d2.dbias };
    },
  };
}

/** All that is learnt, as one list of rows: the form in which parameters meet their gradients. */
export function rowsOf({ weight1, gamma, beta, weight2, bias2 }: Parameters): Vector[] {
  return [...weight1, gamma, beta, ...weight2, bias2];
}

/** Uniform with variance 2 / I. Source: He et al. (2015), https://arxiv.org/abs/1502.01852, for relu. */
function initialWeight(O: number, I: number, random: () => number): Matrix {
  const bound = Math.sqrt(6 / I);
  return Array.from({ length: O }, () => Array.from({ length: I }, () => bound * (2 * random() - 1)));
}

function vector(length: number, value: number): Vector {
  return new Array<number>(length).fill(value);
}
