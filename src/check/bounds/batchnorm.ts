/**
 * Rounding error in batchnorm, per channel of m = N · S values. F = sumUnits(m), e(·) bounds the error of its argument,
 * d = x − mean, r = 1 / √(var + epsilon), x̂ = d · r, u is the unit roundoff.
 *
 * mean          e = (F + 2) · u · Σ |x| / m
 * d             e = u · (|x| + |d|) + e(mean)
 * var           e = Σ (2 |d| · ε + ε² + (F + 3) · u · d²) / m + e(mean)², with ε = 2u · (|x| + |d|): both the two-pass
 *               algorithm and Welford's update depend only on the square of the error of the mean
 * r             e = r · (e(var) / 2 (var + epsilon) + 3u)
 * x̂             e = e(d) · r + |d| · e(r) + u · |x̂|
 * out           e = |gamma| · e(x̂) + u · (4 |gamma · x̂| + 2 |beta|)
 * running_mean  e = |momentum| · e(mean) + 4u · (|(1 − momentum) · past| + |momentum · mean|); running_var likewise
 * dbeta         e = (F + 2) · u · Σ |dout|
 * dgamma        e = Σ |dout| · (e(x̂) + (F + 3) · u · |x̂|)
 * dx, training  e = |gamma| · r · (e(dbeta) / m + |x̂| · e(dgamma) / m + e(x̂) · |dgamma| / m + 6u · T) +
 *               |gamma| · e(r) · |T'|, with T = |dout| + |dbeta| / m + |x̂ · dgamma| / m and T' its signed sum
 * dx, inference e = |gamma · dout| · (e(r) + 5u · r)
 *
 * Source: Higham (see bounds.ts), sections 1.9 and 3.1; Chan, Golub and LeVeque (1983), Algorithms for computing the
 * sample variance, https://doi.org/10.1080/00031305.1983.10483115.
 */
import type { Static } from '@sinclair/typebox';
import type { BatchnormInputs, BatchnormOptions, BatchnormUpstream } from '../../../schemas/batchnorm.js';
import type { Decoded } from '../../layers/definition.js';
import { sizeOf } from '../../tensor/tensor.js';
import { sumUnits, type Bounds } from './bounds.js';

export const batchnorm: Bounds = ({ instance, right, unit: u }) => {
  const { x, gamma, beta, running_mean, running_var } = instance.inputs as Decoded<typeof BatchnormInputs>;
  const { dout } = instance.upstream as Partial<Decoded<typeof BatchnormUpstream>>;
  const { training, epsilon, momentum } = instance.options as Static<typeof BatchnormOptions>;
  const [N, C] = x.shape;
  const size = sizeOf(x.shape);
  const S = size / (N * C);
  const m = N * S;
  const F = sumUnits(m);
  const bounds = Object.fromEntries(
    Object.entries(right).map(([name, { data }]) => [name, new Float64Array(data.length)]),
  );
  const errors = new Float64Array(size);
  for (let c = 0; c < C; c++) {
    const each = (visit: (i: number) => void) => {
      for (let n = 0; n < N; n++) for (let s = 0; s < S; s++) visit((n * C + c) * S + s);
    };
    const [mean, variance] = [right.mean.data[c], right.var.data[c]];
    let [eMean, eVar] = [u * Math.abs(mean), u * variance];
    if (training) {
      [eMean, eVar] = [0, 0];
      each((i) => (eMean += ((F + 2) * u * Math.abs(x.data[i])) / m));
      each((i) => {
        const d = Math.abs(x.data[i] - mean);
        const e = 2 * u * (Math.abs(x.data[i]) + d);
        eVar += (2 * d * e + e * e + (F + 3) * u * d * d) / m;
      });
      eVar += eMean ** 2;
    }
    const total = variance + epsilon;
    // If var + epsilon is 0, out is exactly beta by convention, so r has no error.
    const r = total > 0 ? 1 / Math.sqrt(total) : 0;
    const eR = total > 0 ? r * (eVar / (2 * total) + 3 * u) : 0;
    const g = gamma === undefined ? 1 : Math.abs(gamma.data[c]);
    const b = beta === undefined ? 0 : Math.abs(beta.data[c]);
    const hat = (i: number) => (x.data[i] - mean) * r;
    each((i) => {
      const d = Math.abs(x.data[i] - mean);
      errors[i] = (u * (Math.abs(x.data[i]) + d) + eMean) * r + d * eR + u * d * r;
      bounds.out[i] = g * errors[i] + u * (4 * g * d * r + 2 * b);
    });
    [bounds.mean[c], bounds.var[c]] = [eMean, eVar];
    if (running_mean && running_var) {
      const run = (past: number, batch: number, e: number) =>
        training
          ? Math.abs(momentum) * e + 4 * u * (Math.abs((1 - momentum) * past) + Math.abs(momentum * batch))
          : u * Math.abs(past);
      const unbiased = m / (m - 1);
      bounds.running_mean[c] = run(running_mean.data[c], mean, eMean);
      bounds.running_var[c] = run(running_var.data[c], variance * unbiased, eVar * unbiased);
    }
    if (dout === undefined) continue;
    let [dbeta, dgamma, eBeta, eGamma] = [0, 0, 0, 0];
    each((i) => {
      const [above, own] = [dout.data[i], hat(i)];
      dbeta += above;
      dgamma += above * own;
      eBeta += (F + 2) * u * Math.abs(above);
      eGamma += Math.abs(above) * (errors[i] + (F + 3) * u * Math.abs(own));
    });
    if ('dbeta' in bounds) bounds.dbeta[c] = eBeta;
    if ('dgamma' in bounds) bounds.dgamma[c] = eGamma;
    each((i) => {
      const [above, own] = [dout.data[i], hat(i)];
      if (!training) {
        bounds.dx[i] = g * Math.abs(above) * (eR + 5 * u * r);
        return;
      }
      const [byMean, byProduct] = [dbeta / m, (own * dgamma) / m];
      const T = Math.abs(above) + Math.abs(byMean) + Math.abs(byProduct);
      bounds.dx[i] =
        g * r * ((eBeta + Math.abs(own) * eGamma + errors[i] * Math.abs(dgamma)) / m + 6 * u * T) +
        g * eR * Math.abs(above - byMean - byProduct);
    });
  }
  return bounds;
};
