/** Right answers in other forms: none of them may be diagnosed as a mistake. */
import type { Tensors } from '../../../src/layers/instance.js';
import { sizeOf, tensor, type Tensor } from '../../../src/tensor/tensor.js';
import { casesOf, CHECKED_SEEDS, EQUIVALENCE_SEEDS, type Case } from './cases.js';
import type { Original } from './definition.js';
import { claimsOf, judge } from './judge.js';
import { load, transpile, type Run } from './load.js';
import { nestedOf, tensorOf } from './nested.js';

export interface Alarm {
  readonly original: Original;
  readonly variant: string;
  readonly set: string;
  readonly seed: number;
  readonly name: string;
  readonly sentences: readonly string[];
}

export interface Alarms {
  readonly variants: number;
  /** Right answers that do not pass, with or without a diagnosis. */
  readonly alarms: readonly Alarm[];
}

type Variant = (each: Case, run: Run) => Tensors;

const mapped = (tensors: Tensors, of: (value: number) => number): Tensors =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [name, tensor(shape, Float64Array.from(data, of))]),
  );

const usual: Variant = (each, run) => claimsOf(each, run(each.given()));

const VARIANTS: Readonly<Record<string, Variant>> = {
  'in float32': (each, run) => mapped(usual(each, run), Math.fround),
  'with inputs in float32': (each, run) => {
    const given = Object.entries(each.given()).map(([name, value]) =>
      Array.isArray(value) && name in { ...each.instance.inputs, ...each.instance.upstream }
        ? [name, nestedOf(mapped({ value: tensorOf(value) }, Math.fround).value)]
        : [name, value],
    );
    const answers = run(Object.fromEntries(given) as Record<string, unknown>);
    return mapped(claimsOf(each, answers), Math.fround);
  },
  'with six digits': (each, run) => mapped(usual(each, run), (value) => Number(value.toPrecision(6))),
  'with four decimals': (each, run) => mapped(usual(each, run), (value) => Number(value.toFixed(4))),
  'with the batch reversed': (each, run) => {
    const { inputs, upstream, drawn, options } = each.instance;
    const isBatched = (name: string) => /^d?(x|out|h0|c0|h_n|c_n)$|^(mask|indices|sequence_lengths)$/.test(name);
    if (options.time_major === true || options.direction === 'bidirectional') return usual(each, run);
    const turned = Object.entries({ ...inputs, ...upstream, ...drawn })
      .filter(([name]) => isBatched(name))
      .map(([name, value]) => [name, nestedOf(reversed(value))]);
    const given = { ...each.given(), ...(Object.fromEntries(turned) as object) };
    const claims = claimsOf(each, run(given));
    return Object.fromEntries(
      Object.entries(claims).map(([name, value]) => [name, isBatched(name) ? reversed(value) : value]),
    );
  },
};

/** Rows in the opposite order, so that sums over the batch are added in another order. */
function reversed({ shape, data }: Tensor): Tensor {
  const row = sizeOf(shape.slice(1));
  const from = (i: number) => (shape[0] - 1 - Math.floor(i / row)) * row + (i % row);
  return tensor(
    shape,
    Float64Array.from(data, (_, i) => data[from(i)]),
  );
}

export function alarmsOf(original: Original): Alarms {
  const run = load(transpile(original.source));
  const alarms: Alarm[] = [];
  let variants = 0;
  for (const each of [...EQUIVALENCE_SEEDS, ...CHECKED_SEEDS].flatMap((seed) => casesOf(original.layer, seed)))
    for (const [variant, of] of Object.entries(VARIANTS)) {
      let claims: Tensors;
      try {
        claims = of(each, run);
      } catch (error) {
        if (error instanceof Error && error.message.startsWith('unsupported')) continue;
        throw error;
      }
      variants++;
      const { failing } = judge(each, claims);
      const { set, seed } = each;
      alarms.push(
        ...failing.map(({ name, diagnoses }) => {
          return { original, variant, set, seed, name, sentences: diagnoses.map(({ sentence }) => sentence) };
        }),
      );
    }
  return { variants, alarms };
}
