/** Compares gradients with central differences. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { plain } from '../../src/kernels/plain/plain.js';
import type { Layer } from '../../src/layers/definition.js';
import { formatShape, type Tensor } from '../../src/tensor/tensor.js';
import { acceptedPlan, type Configuration } from './configurations.js';
import { randomNumbers } from './random.js';

type Tensors = Readonly<Record<string, Tensor>>;

/**
 * Relative to the largest element of the gradient, or to FLOOR if all are smaller. The difference below has a
 * truncation error of STEP⁴ · f⁽⁵⁾ / 30, near 1e-18 · f⁽⁵⁾, and the rounding error of the loss over the step, near
 * 1e-16 / 1e-4 times the sum of up to a hundred terms: 1e-10 in all. 1e-6 of 1e-3 leaves a factor of ten (the worst of
 * 2,100 configurations was off by 1.6e-9 of the largest), and no mistake in a formula is that small.
 */
const TOLERANCE = 1e-6;
/**
 * A gradient may vanish by cancellation, such as that of batchnorm over two values; the terms that cancel are near 1.
 */
const FLOOR = 1e-3;
const STEP = 1e-4;

/**
 * Compares every gradient from backward with the slope of the loss Σ dout · out. The upstream gradient dout is random:
 * ones would hide mistakes, since they make every dx of batchnorm zero.
 */
export function expectGradients(layer: Layer, configuration: Configuration): void {
  const { inputs, upstream, seed, side } = configuration;
  const plan = acceptedPlan(layer, configuration);
  const forward = () => layer.forward(inputs, plan, plain);
  const { outputs, cache } = forward();
  // A different seed than that of the inputs, so that dout does not equal them.
  const numbers = randomNumbers(seed + 1);
  const douts = Object.fromEntries(upstream.map((name) => [`d${name}`, numbers.tensor(plan.outputs[name])]));
  const gradients = layer.backward(cache, plan, douts, plain) as Tensors;

  const differentiable = Object.keys(inputs).filter((name) => `d${name}` in layer.schemas.gradients.properties);
  expect(Object.keys(gradients).sort()).toEqual(differentiable.map((name) => `d${name}`).sort());

  for (const [name, shape] of Object.entries(plan.outputs))
    expect(formatShape((outputs as Tensors)[name].shape), `shape of ${name}`).toBe(formatShape(shape));

  const sideHere = side?.(outputs as Tensors);
  const loss = (): number => {
    const moved = forward().outputs as Tensors;
    if (side) fc.pre(side(moved) === sideHere);
    return upstream.reduce((sum, name) => sum + dot(douts[`d${name}`], moved[name]), 0);
  };
  for (const name of differentiable) {
    const { shape, data } = gradients[`d${name}`];
    expect(formatShape(shape), `shape of d${name}`).toBe(formatShape(inputs[name].shape));
    const slopes = Array.from(inputs[name].data, (_, i) => slope(inputs[name], i, loss));
    const largest = Math.max(FLOOR, ...slopes.map(Math.abs));
    const worst = Math.max(...slopes.map((expected, i) => Math.abs(expected - data[i])));
    expect(worst / largest, `largest error of d${name}`).toBeLessThanOrEqual(TOLERANCE);
  }
}

/** The central difference of fourth order: (f(−2h) − 8 f(−h) + 8 f(h) − f(2h)) / 12h. */
function slope({ data }: Tensor, i: number, loss: () => number): number {
  const here = data[i];
  const at = (steps: number): number => {
    data[i] = here + steps * STEP;
    return loss();
  };
  const difference = at(-2) - at(2) + 8 * (at(1) - at(-1));
  data[i] = here;
  return difference / (12 * STEP);
}

function dot(a: Tensor, b: Tensor): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += a.data[i] * b.data[i];
  return sum;
}
