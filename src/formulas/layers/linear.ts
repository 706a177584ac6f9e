/** The formulas of linear. */
import { sizeOf } from '../../tensor/tensor.js';
import type { Instance } from '../../layers/instance.js';
import { programOf, tensorsOf } from '../program.js';

export function linear(instance: Instance) {
  const { x, weight } = instance.inputs;
  const { bias, dout } = tensorsOf(instance);
  const [O, I] = weight.shape;
  const isGiven = bias !== undefined;
  const rows = sizeOf(x.shape) / I;
  const [N, inner] = x.shape.length > 1 ? [x.shape[0], x.shape.slice(1, -1)] : [1, []];
  const S = sizeOf(inner);
  return programOf({
    axes: { n: rows, o: O, i: I, b: N, s: S },
    dims: { n: x.shape.slice(0, -1), s: inner },
    means: { n: 'rows of x', o: 'output features', i: 'input features', b: 'samples', s: 'rows of a sample' },
    given: {
      'x ni': x.data,
      'weight oi': weight.data,
      'bias o': bias?.data,
      'dout no': dout?.data,
      // For mistakes: the row of x that is row s of sample b.
      'row bs': inner.length > 0 ? Int32Array.from({ length: rows }, (_, n) => n) : undefined,
      rows,
      N,
      S,
    },
    forward: [isGiven ? 'out[n,o] = Σ_i x · weight + bias' : 'out[n,o] = Σ_i x · weight'],
    backward: dout
      ? ['dx[n,i] = Σ_o dout · weight', 'dweight[o,i] = Σ_n dout · x', ...(isGiven ? ['dbias[o] = Σ_n dout'] : [])]
      : [],
  });
}
