/** Finds sentences of a verdict that mention options or tensors that the instance does not have. */
import { rightAnswers } from '../../src/check/answers.js';
import { check, type Verdict } from '../../src/check/check.js';
import type { Instance, Tensors } from '../../src/layers/instance.js';
import type { Checks } from '../../src/check/definition.js';
import { plain } from '../../src/kernels/plain/plain.js';
import { eachInstance } from './instances.js';

const isAll = (value: unknown, neutral: number): boolean =>
  Array.isArray(value) ? value.every((each) => isAll(each, neutral)) : value === neutral;

/** Words for options, and whether an option has no effect in an instance. */
const WORDS: readonly (readonly [word: string, isIdle: (instance: Instance, layer: string) => boolean])[] = [
  ['stride', ({ options }) => isAll(options.stride, 1)],
  ['dilation', ({ options }) => isAll(options.dilation, 1)],
  ['padding|pads?|padded|before|after', ({ options }) => options.padding === 'valid' || isAll(options.padding, 0)],
  ['padding', (_, layer) => !['convolution', 'pooling'].includes(layer)],
  ['output_padding', ({ options }) => isAll(options.output_padding, 0)],
  ['groups?', ({ options }) => options.groups === 1],
  ['ceil_mode', ({ options }) => options.ceil_mode === false],
  ['count_include_pad', ({ options }) => options.mode === 'max'],
  ['kernel_size|stride|dilation|padding', ({ options }) => options.global === true],
  ['reverse|direction', ({ options }) => options.direction === 'forward'],
  ['epsilon', (_, layer) => layer !== 'batchnorm'],
  ['momentum|running', ({ inputs }, layer) => layer === 'batchnorm' && !('running_mean' in inputs)],
  ['biases', ({ inputs }) => !Object.keys(inputs).some((name) => name.startsWith('bias'))],
];

export function absentIn({ layer }: Checks, instance: Instance): string[] {
  const { inputs, upstream } = layer.schemas;
  const optional = [...Object.keys(inputs.properties), ...Object.keys(upstream.properties)];
  const absent = optional.filter((name) => !(name in instance.inputs) && !(name in instance.upstream));
  const gradients = absent.filter((name) => name in inputs.properties).map((name) => `d${name}`);
  return [...absent, ...gradients, ...WORDS.filter(([, isIdle]) => isIdle(instance, layer.name)).map(([word]) => word)];
}

/** Every sentence of a verdict, except those of `other_option`, which name options that the instance does not have. */
function sentencesOf({ tensors, indistinguishable, notes }: Verdict): string[] {
  const ofTensors = Object.values(tensors).flatMap(({ diagnosis, notes, statistics }) => [
    ...diagnosis.filter(({ id }) => id !== 'other_option').flatMap(({ explanation, fix }) => [explanation, fix]),
    ...notes.map(({ explanation }) => explanation),
    ...(statistics?.findings ?? []),
  ]);
  return [
    ...ofTensors,
    ...indistinguishable.map(({ hidden }) => hidden),
    ...notes.map(({ explanation }) => explanation),
  ];
}

const isOnBorder = (shape: readonly number[], i: number) => i % (shape.at(-1) ?? 1) === 0;

/** Sentences with such words, the number of all sentences, and the largest number of diagnoses of a claim. */
export function strayWords(checks: Checks, count: number) {
  const stray = new Set<string>();
  let [sentences, mostNamed] = [0, 0];
  const hear = (instance: Instance, claims: Tensors) => {
    const verdict = check(checks, instance, claims, { dtype: 'float64', kernels: plain, slips: 0, pairs: () => 0 });
    const words = absentIn(checks, instance).map((word) => new RegExp(`(?<![A-Za-z_])(${word})(?![A-Za-z])`, 'iu'));
    for (const sentence of sentencesOf(verdict)) {
      sentences++;
      for (const word of words) if (word.test(sentence)) stray.add(`${String(word)}: ${sentence}`);
    }
    for (const { diagnosis } of Object.values(verdict.tensors)) mostNamed = Math.max(mostNamed, diagnosis.length);
  };
  eachInstance(checks, count, (instance, i) => {
    const right = rightAnswers(checks, instance, plain);
    const alternatives = checks.alternatives(instance, right, {});
    // A quarter of the mistakes for each instance; together, the instances cover all of them.
    for (let at = i % 4; at < alternatives.length; at += 4) {
      const values = alternatives[at].text.tensors.map((name) => [name, alternatives[at].tensor(name)] as const);
      const claims = Object.fromEntries(values.filter(([, value]) => value !== undefined)) as Tensors;
      if (Object.keys(claims).length > 0) hear(instance, claims);
    }
    const changed = (of: (value: number, i: number, shape: readonly number[]) => number) =>
      Object.fromEntries(
        Object.entries(right)
          .filter(([, { data }]) => data instanceof Float64Array)
          .map(([name, { shape, data }]) => {
            const values = Float64Array.from(data, (value, i) => of(value, i, shape));
            return [name, { shape, data: values }];
          }),
      );
    hear(
      instance,
      changed((value) => 1 - value),
    );
    hear(
      instance,
      changed((value) => value * 1.001 + 1e-5),
    );
    hear(
      instance,
      changed((value, i, shape) => (isOnBorder(shape, i) ? value + Math.sin(i) + 2 : value)),
    );
    hear(
      instance,
      changed(() => 5),
    );
    hear(
      instance,
      changed((value, i) => (i % 2 ? Infinity : value)),
    );
  });
  return { stray: [...stray], sentences, mostNamed };
}
