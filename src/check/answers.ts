import type { Kernels } from '../kernels/kernels.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Call, Checks, Tensors } from './definition.js';

/** Everything that the layer answers, forward and, with an upstream gradient, backward. */
export function rightAnswers(
  { layer, forward }: Pick<Checks, 'layer' | 'forward'>,
  call: Call,
  kernels: Kernels,
): Tensors {
  const plan = layer.plan(call.inputs, call.options);
  const { outputs, cache } = forward ? forward(call, plan, kernels) : layer.forward(call.inputs, plan, kernels);
  const tensors = Object.entries(outputs as Record<string, unknown>).filter(([, value]) => typeof value === 'object');
  const answers = Object.fromEntries(tensors) as Record<string, Tensor>;
  if (Object.keys(call.upstream).length === 0) return answers;
  return { ...answers, ...(layer.backward(cache, plan, call.upstream, kernels) as Tensors) };
}
