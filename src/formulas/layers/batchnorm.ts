/** The formulas of batchnorm. */
import type { Instance } from '../../layers/instance.js';
import { sizeOf } from '../../tensor/tensor.js';
import { programOf, tensorsOf } from '../program.js';

export function batchnorm(instance: Instance) {
  const { x } = instance.inputs;
  const { gamma, beta, running_mean, running_var, dout } = tensorsOf(instance);
  const { training, epsilon, momentum } = instance.options as { training: boolean; epsilon: number; momentum: number };
  const [N, C] = x.shape;
  const m = sizeOf(x.shape) / C;
  const [isScaled, isShifted, isRunning] = [gamma, beta, running_mean].map((each) => each !== undefined);
  const usesBatch = training || !isRunning;
  const scaled = isScaled ? 'gamma · xhat' : 'xhat';
  const dx = [
    isScaled ? 'dxhat[n,c,s] = dout · gamma' : 'dxhat[n,c,s] = dout',
    training
      ? 'dx[n,c,s] = rstd / m · (m · dxhat − Σ_ns dxhat − xhat · Σ_ns dxhat · xhat)'
      : 'dx[n,c,s] = dxhat · rstd',
  ];
  return programOf({
    // w: everything, for mistakes.
    axes: { n: N, c: C, s: m / N, w: 1 },
    dims: { s: x.shape.slice(2) },
    means: { n: 'samples', c: 'channels', s: 'places' },
    given: {
      'x ncs': x.data,
      'gamma c': gamma?.data,
      'beta c': beta?.data,
      'running_mean_before c': running_mean?.data,
      'running_var_before c': running_var?.data,
      'dout ncs': dout?.data,
      // For a mistake: the variance that is left after cancellation.
      'cancelled c': new Int32Array(C),
      m,
      N,
      C,
      S: m / N,
      epsilon,
      momentum,
    },
    forward: [
      'batch_mean[c] = Σ_ns x / m',
      'centred[n,c,s] = x − batch_mean',
      'batch_var[c] = Σ_ns centred² / m',
      usesBatch ? 'mean[c] = batch_mean' : 'mean[c] = running_mean_before',
      usesBatch ? 'var[c] = batch_var' : 'var[c] = running_var_before',
      // A constant channel without epsilon is 0, not 0 · ∞.
      usesBatch && epsilon === 0 ? 'rstd[c] = inverse_root(var)' : 'rstd[c] = 1 / √(var + epsilon)',
      'xhat[n,c,s] = (x − mean) · rstd',
      isShifted ? `out[n,c,s] = ${scaled} + beta` : `out[n,c,s] = ${scaled}`,
      ...(isRunning
        ? [
            training
              ? 'running_mean[c] = (1 − momentum) · running_mean_before + momentum · batch_mean'
              : 'running_mean[c] = running_mean_before',
            training
              ? 'running_var[c] = (1 − momentum) · running_var_before + momentum · batch_var · m / (m − 1)'
              : 'running_var[c] = running_var_before',
          ]
        : []),
    ],
    backward: dout
      ? [...(isShifted ? ['dbeta[c] = Σ_ns dout'] : []), ...(isScaled ? ['dgamma[c] = Σ_ns dout · xhat'] : []), ...dx]
      : [],
    styles: {
      ...(training && isRunning
        ? {
            update: [
              'running_mean[c] = running_mean_before + momentum · (batch_mean − running_mean_before)',
              'unbiased[c] = batch_var · m / (m − 1)',
              'running_var[c] = running_var_before + momentum · (unbiased − running_var_before)',
            ],
          }
        : {}),
      ...(dout && training
        ? {
            staged: [
              'dvar[c] = −0.5 · rstd³ · Σ_ns dxhat · (x − mean)',
              'dmean[c] = −rstd · Σ_ns dxhat − 2 · dvar · Σ_ns (x − mean) / m',
              'dx[n,c,s] = dxhat · rstd + dvar · 2 · (x − mean) / m + dmean / m',
            ],
            graph:
              epsilon === 0
                ? []
                : [
                    'ivar[c] = 1 / √(var + epsilon)',
                    'divar[c] = Σ_ns dxhat · centred',
                    'dsqrtvar[c] = −1 / (var + epsilon) · divar',
                    'dvariance[c] = 0.5 · ivar · dsqrtvar',
                    'dsq[c] = dvariance / m',
                    'dxmu[n,c,s] = dxhat · ivar + 2 · centred · dsq',
                    'dmu[c] = −Σ_ns dxmu',
                    'dx[n,c,s] = dxmu + dmu / m',
                  ],
            scaled: ['dx[n,c,s] = gamma · rstd / m · (m · dout − dbeta − xhat · dgamma)'].filter(
              () => isScaled && isShifted,
            ),
          }
        : {}),
    },
  });
}
