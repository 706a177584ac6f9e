/** The formulas of linear. */
import { sizeOf } from '../../tensor/tensor.js';
import type { Instance } from '../../layers/instance.js';
import { programOf, tensorsOf } from '../program.js';

export function linear(instance: Instance) {
  const { x, weight } = instance.inputs;
  const { bias, dout } = tensorsOf(instance);
  const [O, I] = weight.shape;
  const isGiven = bias !== undefined;
  return programOf({
    axes: { n: sizeOf(x.shape) / I, o: O, i: I },
    means: { n: 'rows of x', o: 'output features', i: 'input features' },
    given: { 'x ni': x.data, 'weight oi': weight.data, 'bias o': bias?.data, 'dout no': dout?.data },
    forward: [isGiven ? 'out[n,o] = Σ_i x · weight + bias' : 'out[n,o] = Σ_i x · weight'],
    backward: dout
      ? ['dx[n,i] = Σ_o dout · weight', 'dweight[o,i] = Σ_n dout · x', ...(isGiven ? ['dbias[o] = Σ_n dout'] : [])]
      : [],
  });
}
