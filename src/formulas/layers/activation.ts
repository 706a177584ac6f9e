/** The formulas of activation. */
import type { Instance } from '../../layers/instance.js';
import { elementwise, programOf, tensorsOf } from '../program.js';

export function activation(instance: Instance) {
  const { x } = instance.inputs;
  const { axes, means, over, at } = elementwise(x.shape);
  const { dout } = tensorsOf(instance);
  const [out, dx] =
    instance.options.function === 'relu'
      ? [`out[${at}] = relu(x)`, `dx[${at}] = dout · positive(x)`]
      : [`out[${at}] = tanh(x)`, `dx[${at}] = dout · (1 − out²)`];
  const isTanh = instance.options.function === 'tanh';
  return programOf({
    axes,
    means,
    given: { [`x ${over}`]: x.data, [`dout ${over}`]: dout?.data },
    forward: [out],
    backward: dout ? [dx] : [],
    styles: isTanh
      ? {
          exponentials: [`up[${at}] = exp(x)`, `down[${at}] = exp(−x)`, `out[${at}] = (up − down) / (up + down)`],
          sigmoid: [
            `s[${at}] = 1 / (1 + exp(−2 · x))`,
            `out[${at}] = 2 · s − 1`,
            ...(dout ? [`dx[${at}] = dout · 4 · s · (1 − s)`] : []),
          ],
          slope: [`slope[${at}] = 1 − tanh(x)²`, `dx[${at}] = dout · slope`].filter(() => dout),
        }
      : { slope: [`slope[${at}] = positive(x)`, `dx[${at}] = dout · slope`].filter(() => dout) },
  });
}
