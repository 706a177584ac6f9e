/** Right answers in other forms: one layer computed by way of another, or in other steps. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rightAnswers } from '../../src/check/answers.js';
import { check } from '../../src/check/check.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import { allChecks } from '../../src/check/registry.js';
import { applyDefaults } from '../../src/validation/validate.js';
import { plain } from '../../src/kernels/plain/plain.js';
import { sameShape, type Tensor } from '../../src/tensor/tensor.js';
import { effectiveKernel, type WindowAxis } from '../../src/tensor/windows.js';
import { acceptedPlan, configurations } from '../support/configurations.js';
import { randomNumbers } from '../support/random.js';
import { atScale } from '../support/scale.js';
import { convolution } from './implementations/convolution.js';
import type { Implementation } from './implementations/implementation.js';
import { pooling } from './implementations/pooling.js';
import { slidRight } from './implementations/transposed.js';

const CALLS = atScale({ all: 150, quick: 30 });

interface Form {
  readonly name: string;
  /** Undefined if the form does not apply. */
  readonly claims: (instance: Instance, axes: readonly WindowAxis[]) => Tensors | undefined;
}

const byHand = (implementation: Implementation): Form => ({
  name: 'by hand, along any axes and with any options',
  claims: (instance) => implementation(instance),
});

const isTransposed = ({ options }: Instance) => options.transposed === true;

const FORMS: Readonly<Record<string, readonly Form[]>> = {
  convolution: [
    byHand(convolution),
    {
      name: 'transposed, by sliding the rotated kernel over x with zeros inserted',
      claims: (instance) => (isTransposed(instance) ? { out: slidRight(instance) } : undefined),
    },
    {
      name: 'dx of a transposed one, as a plain convolution of dout',
      claims: ({ inputs, options, upstream }) => {
        if (options.transposed !== true) return undefined;
        const plainly = { ...options, transposed: false, output_padding: 0 };
        const instance = {
          inputs: { x: upstream.dout, weight: inputs.weight },
          options: plainly,
          upstream: {},
          drawn: {},
        };
        return { dx: convolution(instance).out };
      },
    },
    {
      name: 'dx of a plain one, as a transposed convolution of dout',
      claims: ({ inputs, options, upstream }, axes) => {
        if (options.transposed === true) return undefined;
        // Elements that no window covers.
        const output_padding = axes.map(
          ({ input, before, after, kernel, dilation, stride }) =>
            (input + before + after - effectiveKernel(kernel, dilation)) % stride,
        );
        const back = { ...options, transposed: true, output_padding };
        const instance = {
          inputs: { x: upstream.dout, weight: inputs.weight },
          options: back,
          upstream: {},
          drawn: {},
        };
        return { dx: convolution(instance).out };
      },
    },
  ],
  pooling: [
    byHand(pooling),
    {
      name: 'one axis after the other',
      claims: ({ inputs, options }, axes) => {
        const only = (axis: number, of: (own: WindowAxis) => number, other: number) =>
          axes.map((each, i) => (i === axis ? of(each) : other));
        const pooled = axes.reduce<Tensor>(
          (x, _, axis) =>
            pooling({
              inputs: { x },
              options: {
                ...options,
                global: false,
                return_indices: false,
                kernel_size: only(axis, ({ kernel }) => kernel, 1),
                stride: only(axis, ({ stride }) => stride, 1),
                dilation: only(axis, ({ dilation }) => dilation, 1),
                padding: axes.map(({ before, after }, i) => (i === axis ? [before, after] : [0, 0])),
              },
              upstream: {},
              drawn: {},
            }).out,
          inputs.x,
        );
        return { out: pooled };
      },
    },
  ],
};

describe.each(Object.entries(FORMS))('%s', (name, forms) => {
  const checks = allChecks.find(({ layer }) => layer.name === name);
  if (!checks) throw new Error(`no checks of ${name}`);

  it.each(forms)('is right $name', ({ claims }) => {
    let claimed = 0;
    fc.assert(
      fc.property(configurations[name], ({ inputs, options, upstream, seed }) => {
        const plan = acceptedPlan(checks.layer, { inputs, options });
        const { axes } = plan as unknown as { axes: readonly WindowAxis[] };
        const complete: Record<string, unknown> = { ...options };
        applyDefaults(checks.layer.schemas.options, complete);
        // The handwritten layers accept no named padding.
        complete.padding = axes.map(({ before, after }) => [before, after]);
        const numbers = randomNumbers(seed + 1);
        const douts = upstream.map((output) => [`d${output}`, numbers.tensor(plan.outputs[output])] as const);
        const instance: Instance = { inputs, options: complete, upstream: Object.fromEntries(douts), drawn: {} };
        const right = rightAnswers(checks, instance, plain);
        const given = claims(instance, axes);
        // With an output padding of stride or more, a plain convolution would have additional windows.
        if (!given || Object.keys(given).some((tensor) => !sameShape(given[tensor].shape, right[tensor].shape))) return;
        claimed += Object.keys(given).length;
        const { tensors } = check(checks, instance, given, { dtype: 'float64', kernels: plain, pairs: () => 0 });
        const failed = Object.entries(tensors).filter(([, { pass, diagnosis }]) => !pass || diagnosis.length > 0);
        expect(failed).toEqual([]);
      }),
      { numRuns: CALLS, seed: 7 },
    );
    expect(claimed).toBeGreaterThan(CALLS / 4);
  });
});
