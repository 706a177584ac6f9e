import type { Kernels } from '../kernels/kernels.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Instance, Tensors } from '../layers/instance.js';
import type { Checks } from './definition.js';

/** All outputs of the layer and, with an upstream gradient, all gradients. */
export function rightAnswers(
  { layer, forward }: Pick<Checks, 'layer' | 'forward'>,
  instance: Instance,
  kernels: Kernels,
): Tensors {
  const plan = layer.plan(instance.inputs, instance.options);
  const { outputs, cache } = forward ? forward(instance, plan, kernels) : layer.forward(instance.inputs, plan, kernels);
  const tensors = Object.entries(outputs as Record<string, unknown>).filter(([, value]) => typeof value === 'object');
  const answers = Object.fromEntries(tensors) as Record<string, Tensor>;
  if (Object.keys(instance.upstream).length === 0) return answers;
  return { ...answers, ...(layer.backward(cache, plan, instance.upstream, kernels) as Tensors) };
}
