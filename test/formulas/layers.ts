/** For every layer, its formulas give what its kernels compute. */
import { expect, it } from 'vitest';
import { boundsOf } from '../../src/check/bounds/bounds.js';
import { areClose, largestMagnitude } from '../../src/check/compare.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import type { Checks } from '../../src/check/definition.js';
import { allChecks } from '../../src/check/registry.js';
import { Evaluation } from '../../src/formulas/evaluate.js';
import { formulas } from '../../src/formulas/layers/registry.js';
import { plain } from '../../src/kernels/plain/plain.js';
import { isFloats, sizeOf, tensor, type Tensor } from '../../src/tensor/tensor.js';
import { answersOf, eachInstance, mapped } from '../check/instances.js';
import { acceptedPlan } from '../support/configurations.js';
import { randomNumbers } from '../support/random.js';

/** Relative to the largest element of a tensor. */
const AGREEMENT = 1e-12;

/** What was drawn in forward is given to the formulas. */
export function drawnIn(checks: Checks, instance: Instance): Instance {
  const { mask } = answersOf(checks, instance);
  return (mask as Tensor | undefined) ? { ...instance, drawn: { mask } } : instance;
}

export const evaluationOf = ({ layer }: Checks, instance: Instance) => new Evaluation(formulas[layer.name](instance));

type Values = (name: string) => Float64Array | undefined;

const rightOf =
  (evaluation: Evaluation): Values =>
  (name) =>
    evaluation.has(name) ? evaluation.right(name) : undefined;

/**
 * The answers that the values do not agree with, in words. Apart from {@link AGREEMENT}, an element may be off by its
 * rounding error: dx of batchnorm can be a small difference of large terms.
 */
export function disagreements(checks: Checks, instance: Instance, answers: Tensors, valuesOf: Values): string[] {
  const bounds = boundsOf({ checks, instance, right: answers, unit: 2 ** -53, kernels: plain });
  return Object.entries(answers).flatMap(([name, { data }]) => {
    if (data instanceof Uint8Array) return [];
    const own = valuesOf(name);
    if (!own) return [`${name} is not defined`];
    if (own.length !== data.length) return [`${name} has ${own.length} elements; expected ${data.length}`];
    const atol = isFloats(data) ? AGREEMENT * largestMagnitude(data) : 0;
    const room = bounds[name] && Float64Array.from(bounds[name]);
    const isAgreed = areClose({ data: own, room }, { data }, { rtol: 0, atol });
    return isAgreed ? [] : [`${name} is ${own.join(' ')}; expected ${data.join(' ')}`];
  });
}

/** What the formulas of an instance get wrong. */
export function errorsIn(checks: Checks, instance: Instance): string[] {
  const given = drawnIn(checks, instance);
  return disagreements(checks, given, answersOf(checks, given), rightOf(evaluationOf(checks, given)));
}

/** Replaces about a quarter of the elements of one tensor by NaN, ∞ or −∞. */
function spoiled({ inputs, upstream, ...rest }: Instance, seed: number): Instance {
  const numbers = randomNumbers(seed);
  const pick = <Item>(items: readonly Item[]) => items[Math.floor(numbers.next() * items.length)];
  const floats = Object.entries({ ...inputs, ...upstream }).filter(([, { data }]) => isFloats(data));
  const [chosen] = pick(floats);
  const special = pick([NaN, Infinity, -Infinity]);
  const spoil = (data: Tensor['data']) => Float64Array.from(data, (value) => (numbers.next() < 0.25 ? special : value));
  const replace = (tensors: Tensors): Tensors =>
    chosen in tensors ? { ...tensors, ...mapped({ [chosen]: tensors[chosen] }, spoil) } : tensors;
  return { ...rest, inputs: replace(inputs), upstream: replace(upstream) };
}

/** Replaces x and dout by NaN and ∞ in the steps that a sequence does not have. */
function spoiledAfterEnd({ inputs, options, upstream, ...rest }: Instance): Instance {
  const lengths = inputs.sequence_lengths.data;
  const [outer, inner] = inputs.x.shape;
  const spoil = (of: Tensor, by: number): Tensor => {
    const features = sizeOf(of.shape) / outer / inner;
    const values = Float64Array.from(of.data, (value, i) => {
      const [a, b] = [Math.floor(i / features / inner), Math.floor(i / features) % inner];
      const [n, t] = options.time_major === true ? [b, a] : [a, b];
      return t < lengths[n] ? value : by;
    });
    return tensor(of.shape, values);
  };
  const { dout, ...others } = upstream as { readonly dout?: Tensor };
  return {
    ...rest,
    options,
    inputs: { ...inputs, x: spoil(inputs.x, NaN) },
    upstream: dout ? { ...others, dout: spoil(dout, Infinity) } : others,
  };
}

/** @param instances number of random instances of each layer */
export function formulasSuite({ instances }: { readonly instances: number }): void {
  const each = allChecks.map((checks) => [checks.layer.name, checks] as const);

  it.each(each)('of %s agree with its kernels', (_, checks) => {
    eachInstance(checks, instances, (instance) => {
      expect(errorsIn(checks, instance)).toEqual([]);
    });
  });

  // A recurrence multiplies the states of sequences that have ended by gradients of 0, and in batchnorm's dx the order of
  // the terms decides where ∞ − ∞ arises. Where formulas and kernels differ, the check looks for no slips.
  const isRecurrent = ({ layer }: Checks) => 'sequence_lengths' in layer.schemas.inputs.properties;
  const propagating = each.filter(([name, checks]) => !isRecurrent(checks) && name !== 'batchnorm');
  it.each(propagating)('of %s propagate infinities and NaN as its kernels do', (_, checks) => {
    eachInstance(checks, instances, (instance, i) => {
      const given = spoiled(instance, i);
      acceptedPlan(checks.layer, given);
      expect(errorsIn(checks, given)).toEqual([]);
    });
  });

  it.each(each.filter(([, checks]) => isRecurrent(checks)))(
    'of %s skip the steps that a sequence does not have',
    (_, checks) => {
      let shortened = 0;
      eachInstance(checks, instances, (instance) => {
        if (!('sequence_lengths' in instance.inputs)) return;
        const given = spoiledAfterEnd(instance);
        shortened += given.inputs.x.data.some(Number.isNaN) ? 1 : 0;
        expect(errorsIn(checks, given)).toEqual([]);
      });
      expect(shortened).toBeGreaterThan(0);
    },
  );

  it('agree with the kernels in every style in which they are written', () => {
    const styles = new Set<string>();
    for (const [name, checks] of each)
      eachInstance(checks, 2 * instances, (instance) => {
        const given = drawnIn(checks, instance);
        const { lines } = formulas[name](given);
        const own = new Set(lines.flatMap(({ style }) => style ?? []));
        if (own.size === 0) return;
        const answers = answersOf(checks, given);
        const evaluation = evaluationOf(checks, given);
        for (const style of own) {
          styles.add(`${name}, ${style}`);
          const written = evaluation.program.lines.filter((line) => line.style === style);
          const errors = evaluation.withChange({}, written, () =>
            disagreements(checks, given, answers, (target) => evaluation.now(target)),
          );
          expect(
            written.filter(({ target }) => target in answers),
            style,
          ).not.toEqual([]);
          expect(errors, style).toEqual([]);
        }
      });
    expect(styles.size).toBeGreaterThan(1);
  });
}
