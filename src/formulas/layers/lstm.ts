/** The formulas of lstm. Steps are counted in the order of the pass; `time` says which element of x a step reads. */
import type { Instance } from '../../layers/instance.js';
import type { Source } from '../program.js';
import { programOf } from '../program.js';
import { recurrenceOf, recurrentSizes } from './recurrence.js';

const GATES = ['i', 'f', 'g', 'o'];

export function lstm(instance: Instance) {
  const { upstream } = instance;
  const { H } = recurrentSizes(instance);
  const shared = recurrenceOf(instance, GATES);
  const isBackward = Object.keys(upstream).length > 0;
  const source: Source = {
    ...shared,
    given: {
      ...shared.given,
      // For mistakes: the places in a weight each of whose blocks is transposed.
      'block_row rk': Int32Array.from({ length: 4 * H * H }, (_, i) => Math.floor(i / H / H) * H + (i % H)),
      'block_column rk': Int32Array.from({ length: 4 * H * H }, (_, i) => Math.floor(i / H) % H),
    },
    forward: [
      ...shared.forward,
      {
        scan: { isDown: false, starts: { h: 'h_start', c: 'c_start' }, held: ['h', 'c'] },
        lines: [
          shared.preactivation,
          ...GATES.map((gate) => `z_${gate}[d,n,t,j] = z[d,n,t,row_${gate}]`),
          'i[d,n,t,j] = σ(z_i)',
          'f[d,n,t,j] = σ(z_f)',
          'g[d,n,t,j] = tanh(z_g)',
          'o[d,n,t,j] = σ(z_o)',
          'c[d,n,t,j] = f · c[d,n,t−1,j] + i · g',
          'h[d,n,t,j] = o · tanh(c)',
        ],
      },
      ...shared.results,
      'c_n[d,n,j] = c[d,n,last,j]',
    ],
    backward: isBackward
      ? [
          ...shared.upstream,
          {
            scan: { isDown: true, starts: { dh_back: 'dh_start', dc_back: 'dc_start' }, held: ['dh_back', 'dc_back'] },
            lines: [
              'dh[d,n,t,j] = dout_t + dh_back[d,n,t+1,j]',
              'dc[d,n,t,j] = dc_back[d,n,t+1,j] + dh · o · (1 − tanh(c)²)',
              'dz_i[d,n,t,j] = dc · g · i · (1 − i)',
              'dz_f[d,n,t,j] = dc · c[d,n,t−1,j] · f · (1 − f)',
              'dz_g[d,n,t,j] = dc · i · (1 − g²)',
              'dz_o[d,n,t,j] = dh · tanh(c) · o · (1 − o)',
              ...GATES.map((gate) => `dz[d,n,t,row_${gate}] = dz_${gate}`),
              shared.handedBack,
              'dc_back[d,n,t,j] = dc · f',
            ],
          },
          ...shared.gradients,
          ...('c0' in instance.inputs ? ['dc0[d,n,j] = dc_back[d,n,0,j]'] : []),
        ]
      : [],
  };
  return programOf(source);
}
