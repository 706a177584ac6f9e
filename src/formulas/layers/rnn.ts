/** The formulas of rnn. */
import type { Instance } from '../../layers/instance.js';
import { programOf } from '../program.js';
import { recurrenceOf } from './recurrence.js';

export function rnn(instance: Instance) {
  const { upstream, options } = instance;
  const shared = recurrenceOf(instance, ['h']);
  const isTanh = options.nonlinearity === 'tanh';
  return programOf({
    ...shared,
    forward: [
      ...shared.forward,
      {
        scan: { isDown: false, starts: { h: 'h_start' }, held: ['h'] },
        lines: [
          shared.preactivation,
          isTanh ? 'h[d,n,t,j] = tanh(z[d,n,t,row_h])' : 'h[d,n,t,j] = relu(z[d,n,t,row_h])',
        ],
      },
      ...shared.results,
    ],
    backward:
      Object.keys(upstream).length > 0
        ? [
            ...shared.upstream,
            {
              scan: { isDown: true, starts: { dh_back: 'dh_start' }, held: ['dh_back'] },
              lines: [
                'dh[d,n,t,j] = dout_t + dh_back[d,n,t+1,j]',
                isTanh ? 'dz[d,n,t,row_h] = dh · (1 − h²)' : 'dz[d,n,t,row_h] = dh · positive(z[d,n,t,row_h])',
                shared.handedBack,
              ],
            },
            ...shared.gradients,
          ]
        : [],
  });
}
