/** The formulas of dropout. */
import type { Instance } from '../../layers/instance.js';
import { programOf, tensorsOf } from '../program.js';

export function dropout(instance: Instance) {
  const { x } = instance.inputs;
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
    axes: { e: x.data.length },
    means: { e: 'elements' },
    given: { 'x e': x.data, 'mask e': training ? mask?.data : undefined, 'dout e': dout?.data, rate },
    forward: [`out[e] = ${passed('x')}`],
    backward: dout ? [`dx[e] = ${passed('dout')}`] : [],
  });
}
