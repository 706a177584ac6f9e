/** The formulas of dropout. */
import type { Instance } from '../../layers/instance.js';
import { elementwise, programOf, tensorsOf } from '../program.js';

export function dropout(instance: Instance) {
  const { x } = instance.inputs;
  const { axes, means, over, at } = elementwise(x.shape);
  const { mask, dout } = tensorsOf(instance);
  const { rate, training, scaling } = instance.options as { rate: number; training: boolean; scaling: string };
  const isInverted = scaling === 'inverted';
  const passed = (values: string) => {
    if (training) return isInverted ? `mask · ${values} / (1 − rate)` : `mask · ${values}`;
    if (isInverted) return values;
    // Zeros, even for infinite values.
    return rate === 1 ? '0' : `${values} · (1 − rate)`;
  };
  return programOf({
    axes,
    means,
    given: {
      [`x ${over}`]: x.data,
      [`mask ${over}`]: training ? mask?.data : undefined,
      [`dout ${over}`]: dout?.data,
      // For mistakes: the values that are kept in inference.
      [`used ${over}`]: training ? undefined : new Int32Array(x.data.length).fill(1),
      rate,
    },
    forward: [`out[${at}] = ${passed('x')}`],
    backward: dout ? [`dx[${at}] = ${passed('dout')}`] : [],
  });
}
