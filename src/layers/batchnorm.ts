/**
 * batchnorm: each channel is brought to mean 0 and variance 1 over the batch, then scaled and shifted.
 *
 * N batch, C channels, S all spatial axes as one, m = N · S values a channel; rstd = 1 / √(var + epsilon). x[N, C, S],
 * the rest [C].
 *
 * Normalisation uses the biased variance, running_var the unbiased one, and momentum is the weight of the batch, as in
 * PyTorch. Source: Ioffe and Szegedy (2015), https://arxiv.org/abs/1502.03167, algorithm 1 and section 3.
 */
import {
  BatchnormGradients,
  BatchnormInputs,
  BatchnormOptions,
  BatchnormOutputs,
  BatchnormUpstream,
} from '../../schemas/batchnorm.js';
import { count, refuse } from '../refusal.js';
import {
  floatArray,
  dtypeOf,
  formatShape,
  sizeOf,
  tensor,
  type FloatArray,
  type FloatTensor,
  type Shape,
} from '../tensor/tensor.js';
import { defineLayer, expectShape, present, type Plan } from './definition.js';

interface BatchnormPlan extends Plan {
  readonly N: number;
  readonly C: number;
  readonly S: number;
  readonly xShape: Shape;
  readonly training: boolean;
  readonly epsilon: number;
  readonly momentum: number;
  readonly scaled: boolean;
  readonly shifted: boolean;
}

export const batchnorm = defineLayer({
  name: 'batchnorm',
  reference: {
    summary: 'Normalises each channel to mean 0 and variance 1 over the batch, then scales and shifts it.',
    dimensions: {
      N: 'batch',
      C: 'channels',
      '*': 'one to three spatial axes',
      m: 'values in a channel',
      α: 'momentum',
    },
    formulas: {
      forward: {
        'mean = Σ x / m, var = Σ (x − mean)² / m, over every axis but C': String.raw`\mu_c = \frac{1}{m} \sum_n x_{n,c}, \quad \sigma_c^2 = \frac{1}{m} \sum_n (x_{n,c} - \mu_c)^2`,
        'x̂ = (x − mean) / √(var + epsilon), out = gamma · x̂ + beta': String.raw`\hat{x}_{n,c} = \frac{x_{n,c} - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}}, \quad \text{out}_{n,c} = \gamma_c \, \hat{x}_{n,c} + \beta_c`,
        'running_mean = (1 − momentum) · running_mean + momentum · mean': String.raw`\text{running mean} \leftarrow (1 - \alpha) \, \text{running mean} + \alpha \, \mu_c`,
        'running_var = (1 − momentum) · running_var + momentum · var · m / (m − 1)': String.raw`\text{running var} \leftarrow (1 - \alpha) \, \text{running var} + \alpha \, \frac{m}{m - 1} \, \sigma_c^2`,
      },
      backward: {
        'dbeta = Σ dout, dgamma = Σ dout · x̂, over every axis but C': String.raw`\text{d}\beta_c = \sum_n \text{dout}_{n,c}, \quad \text{d}\gamma_c = \sum_n \text{dout}_{n,c} \, \hat{x}_{n,c}`,
        'training: dx = gamma / √(var + epsilon) · (dout − dbeta / m − x̂ · dgamma / m)': String.raw`\text{dx}_{n,c} = \frac{\gamma_c}{\sqrt{\sigma_c^2 + \epsilon}} \left( \text{dout}_{n,c} - \frac{\text{d}\beta_c}{m} - \hat{x}_{n,c} \frac{\text{d}\gamma_c}{m} \right)`,
        'inference: dx = gamma / √(running_var + epsilon) · dout': String.raw`\text{inference:} \quad \text{dx}_{n,c} = \frac{\gamma_c}{\sqrt{\sigma_c^2 + \epsilon}} \, \text{dout}_{n,c}`,
      },
    },
    conventions: [
      'Normalisation uses the biased variance (divided by m), running_var the unbiased one (divided by m − 1).',
      'momentum is the weight of the batch, as in PyTorch; in Keras it is the weight of the past.',
      'epsilon is 1e-8 unless given; PyTorch uses 1e-5, Keras 1e-3.',
      'Inference treats the running statistics as constants and returns them unchanged. A negative running_var + epsilon is refused; if it is 0, the result is that of a division by 0, as in PyTorch.',
      'In training, a constant channel results in out = beta, even with epsilon 0, as in PyTorch.',
      'With one value per channel, the variance is 0, and running_var cannot be updated.',
    ],
    sources: ['Ioffe and Szegedy (2015), https://arxiv.org/abs/1502.03167', 'torch.nn.functional.batch_norm'],
    example: {
      forward: {
        x: [
          [1, 2],
          [3, 6],
          [5, 1],
        ],
        gamma: [1, 0.5],
        beta: [0, 1],
        epsilon: 1e-5,
      },
      backward: {
        dout: [
          [0.1, -0.2],
          [0.3, 0.5],
          [-0.4, 0.1],
        ],
      },
    },
  },
  schemas: {
    inputs: BatchnormInputs,
    options: BatchnormOptions,
    outputs: BatchnormOutputs,
    upstream: BatchnormUpstream,
    gradients: BatchnormGradients,
  },

  plan({ x, gamma, beta, running_mean, running_var }, { training, epsilon, momentum }): BatchnormPlan {
    if (x.shape.length < 2 || x.shape.length > 5)
      throw refuse(
        'shape-mismatch',
        ['x'],
        `x has shape ${formatShape(x.shape)}; expected [N, C] or [N, C, *] with one to three spatial axes`,
      );
    const [N, C] = x.shape;
    const S = sizeOf(x.shape) / (N * C);
    for (const [name, given] of Object.entries({ gamma, beta, running_mean, running_var }))
      expectShape(name, given, [C], `x has ${count(C, 'channel')}`);
    if ((running_mean === undefined) !== (running_var === undefined)) {
      const [there, missing] = running_mean ? ['running_mean', 'running_var'] : ['running_var', 'running_mean'];
      throw refuse(
        'value-mismatch',
        [missing],
        `${missing} is missing; expected both or neither, because ${there} was given`,
      );
    }
    if (!training && !running_mean)
      throw refuse(
        'value-mismatch',
        ['running_mean'],
        'running_mean and running_var are missing; expected both, because training is false',
      );
    if (training && running_mean && N * S === 1)
      throw refuse(
        'value-mismatch',
        ['x'],
        `x has shape ${formatShape(x.shape)}, one value per channel; expected two or more, because running_var uses the unbiased variance`,
      );
    if (!training)
      running_var?.data.forEach((value, c) => {
        if (value + epsilon < 0)
          throw refuse(
            'value-mismatch',
            ['running_var', c],
            `running_var is ${value} for channel ${c}; expected at least ${-epsilon}, because training is false and running_var + epsilon must not be negative`,
          );
      });
    const size = N * C * S;
    const element = x.data.BYTES_PER_ELEMENT;
    return {
      N,
      C,
      S,
      xShape: x.shape,
      training,
      epsilon,
      momentum,
      scaled: gamma !== undefined,
      shifted: beta !== undefined,
      outputs: { out: x.shape },
      cost: {
        forward: { operations: 8 * size, bytes: size * element + 8 * 8 * C },
        backward: { operations: 11 * size, bytes: size * element + 8 * 8 * C },
      },
    };
  },

  forward({ x, gamma, beta, running_mean, running_var }, plan, kernels) {
    const { N, C, S, training, epsilon, momentum } = plan;
    const dtype = dtypeOf(x.data);
    const mean = new Float64Array(C);
    const variance = new Float64Array(C);
    if (training || !running_mean || !running_var) kernels.moments(x.data, { N, C, S }, mean, variance);
    else {
      mean.set(running_mean.data);
      variance.set(running_var.data);
    }
    // 0 · ∞ would be NaN. A constant channel results in beta even with epsilon 0, as in PyTorch.
    const rstd = variance.map((v) => (training && v + epsilon === 0 ? 0 : 1 / Math.sqrt(v + epsilon)));
    const out = floatArray(dtype, x.data.length);
    kernels.normalize(x.data, { N, C, S }, { mean, rstd, gamma: gamma?.data, beta: beta?.data }, out);

    const perChannel = (values: Float64Array): FloatTensor => {
      const data = floatArray(dtype, C);
      data.set(values);
      return tensor([C], data);
    };
    const run = (running: FloatTensor | undefined, batch: (c: number) => number) =>
      running && training
        ? perChannel(Float64Array.from(running.data, (past, c) => (1 - momentum) * past + momentum * batch(c)))
        : running;
    const m = N * S;
    return {
      outputs: present({
        out: tensor(x.shape, out),
        mean: perChannel(mean),
        var: perChannel(variance),
        running_mean: run(running_mean, (c) => mean[c]),
        running_var: run(running_var, (c) => (variance[c] * m) / (m - 1)),
      }),
      cache: present({ x, gamma, mean: tensor([C], mean), rstd: tensor([C], rstd) }),
    };
  },

  backward(cache, plan, { dout }, kernels) {
    const { N, C, S } = plan;
    const x = cache.x.data;
    const mean = cache.mean.data;
    const rstd = cache.rstd.data;
    const gamma = cache.gamma?.data;
    const dtype = dtypeOf(dout.data);
    const scale = gamma ? rstd.map((r, c) => r * gamma[c]) : rstd;
    const sums = new Float64Array(C);
    const products = new Float64Array(C);
    kernels.normalizeSums(x, dout.data, { N, C, S }, { mean, rstd }, sums, products);

    const dx = floatArray(dtype, dout.data.length);
    if (plan.training) {
      const [meanDout, meanProduct] = [sums, products].map((values) => values.map((v) => v / (N * S)));
      kernels.normalizeBackward(x, dout.data, { N, C, S }, { mean, rstd, scale, meanDout, meanProduct }, dx);
    } else {
      // dx does not depend on x here: multiplied by a meanProduct of 0, an infinite x would become NaN.
      kernels.normalize(dout.data, { N, C, S }, { mean: new Float64Array(C), rstd: scale }, dx);
    }

    const perChannel = (wanted: boolean, values: Float64Array): FloatTensor | undefined => {
      if (!wanted) return undefined;
      const data: FloatArray = floatArray(dtype, C);
      data.set(values);
      return tensor([C], data);
    };
    return present({
      dx: tensor(plan.xShape, dx),
      dgamma: perChannel(plan.scaled, products),
      dbeta: perChannel(plan.shifted, sums),
    });
  },
});
