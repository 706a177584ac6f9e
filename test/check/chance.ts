/** Right answers with one wrong element, which no known mistake explains except by chance. */
import { rightAnswers } from '../../src/check/answers.js';
import { check } from '../../src/check/check.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import type { Checks } from '../../src/check/definition.js';
import { plain } from '../../src/kernels/plain/plain.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { randomNumbers } from '../support/random.js';
import { eachInstance } from './instances.js';

const mapped = (tensors: Tensors, of: (value: number) => number): Tensors =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) =>
      tensor.data instanceof Float64Array
        ? [name, { ...tensor, data: Float64Array.from(tensor.data, of) }]
        : [name, tensor],
    ),
  );

/** Some inputs have repeated values, and some do not. */
const INPUTS: readonly ((value: number) => number)[] = [(value) => value, () => 1, (value) => Math.round(2 * value)];

function withOneWrong({ data, ...tensor }: Tensor, next: () => number): Tensor | undefined {
  const at = Math.floor(next() * data.length);
  const values = Float64Array.from(data);
  // A value that occurs nowhere else, a small integer, or a value of another element.
  const value = [4 * next() - 2, Math.round(8 * next() - 4), data[Math.floor(next() * data.length)]][
    Math.floor(next() * 3)
  ];
  if (!Number.isFinite(value) || Math.abs(value - data[at]) < 1e-3) return undefined;
  values[at] = value;
  return { ...tensor, data: values };
}

/** Diagnoses of claims about `count` instances with each kind of input. */
export function diagnosesByChance(checks: Checks, count: number): { claims: number; named: string[] } {
  const named: string[] = [];
  let claims = 0;
  eachInstance(checks, count, (drawn, i) => {
    const { next } = randomNumbers(i);
    for (const of of INPUTS) {
      const variance = (tensors: Tensors) =>
        'running_var' in tensors
          ? { ...mapped(tensors, of), running_var: drawn.inputs.running_var }
          : mapped(tensors, of);
      const instance: Instance = { ...drawn, inputs: variance(drawn.inputs), upstream: mapped(drawn.upstream, of) };
      const answers = rightAnswers(checks, instance, plain);
      for (const [name, right] of Object.entries(answers)) {
        const wrong = right.data instanceof Uint8Array ? undefined : withOneWrong(right, next);
        if (!wrong) continue;
        const verdict = check(
          checks,
          instance,
          { ...answers, [name]: wrong },
          { dtype: 'float64', kernels: plain, pairs: () => 20 },
        );
        const { pass, diagnosis } = verdict.tensors[name];
        if (pass) continue;
        claims++;
        if (diagnosis.length > 0)
          named.push(
            `${name} [${right.data.join()}] as [${wrong.data.join()}]: ${diagnosis.map(({ id }) => id).join()}`,
          );
      }
    }
  });
  return { claims, named };
}
