/** The formulas of activation. */
import type { Instance } from '../../layers/instance.js';
import { programOf, tensorsOf } from '../program.js';

export function activation(instance: Instance) {
  const { x } = instance.inputs;
  const { dout } = tensorsOf(instance);
  const [out, dx] =
    instance.options.function === 'relu'
      ? ['out[e] = relu(x)', 'dx[e] = dout · positive(x)']
      : ['out[e] = tanh(x)', 'dx[e] = dout · (1 − out²)'];
  return programOf({
    axes: { e: x.data.length },
    means: { e: 'elements' },
    given: { 'x e': x.data, 'dout e': dout?.data },
    forward: [out],
    backward: dout ? [dx] : [],
  });
}
