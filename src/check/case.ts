/** Inputs on which the known mistakes show, and give different answers. */
import type { Kernels } from '../kernels/kernels.js';
import type { Plan } from '../layers/definition.js';
import { refuse, Refusal } from '../refusal.js';
import { sameShape, type Tensor } from '../tensor/tensor.js';
import { rightAnswers } from './answers.js';
import { TOLERANCES } from './check.js';
import { areClose } from './compare.js';
import {
  canBeMade,
  neededOptions,
  type Alternative,
  type Call,
  type Checks,
  type MistakeText,
  type Tensors,
  type Wish,
} from './definition.js';
import { numbersOf } from './random.js';

export interface Case {
  readonly call: Call;
  readonly answers: Tensors;
}

interface Wanted {
  readonly seed: number;
  /** Which the case must show, if there is one. */
  readonly mistake: MistakeText | undefined;
  readonly wish?: Wish;
  /** Throws where what was wished costs too much. */
  readonly afford?: ((cost: Plan['cost']) => void) | undefined;
  readonly kernels: Kernels;
}

/** The first few numbers do; where mistakes are hard to tell apart, or none is found, the best of these. */
export const MOST_TRIES = 12;

/** Told apart by no more than this, two mistakes would be one to float32. */
const { float32: APART } = TOLERANCES;

/** Between the seeds that are tried: the golden ratio, so that neighbouring seeds have different cases. */
const STEP = 0x9e3779b1;

/** @throws {Refusal} where what is wished does not fit together, or does not allow the mistake */
export function caseOf(checks: Checks, { seed, mistake, wish = {}, afford, kernels }: Wanted): Case {
  const drawn = (from: number) => draw(checks, from, wishFor(mistake, wish), { afford, kernels });
  let best: { made: Case; alike: number } | undefined;
  for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
    const made = drawn((seed + attempt * STEP) % 2 ** 53);
    const { alike, shows } = judge(checks, made, mistake);
    if (!shows) continue;
    if (!best || alike < best.alike) best = { made, alike };
    if (alike === 0) break;
  }
  return (best ?? { made: drawn(seed) }).made;
}

/** What is wished, and what the mistake needs beside it. */
function wishFor({ needs = {}, axes = 0 }: Partial<MistakeText> = {}, wish: Wish): Wish {
  const options = { ...neededOptions({ needs }), ...wish.options };
  for (const [name, value] of Object.entries(wish.options ?? {})) {
    const needed = needs[name];
    if (name in needs && !(Array.isArray(needed) ? needed.includes(value) : needed === value))
      throw refuse(
        'value-mismatch',
        ['options', name],
        `${name} is ${JSON.stringify(value)}; expected ${[needed]
          .flat()
          .map((each) => JSON.stringify(each))
          .join(' or ')}, because the mistake is not made otherwise`,
      );
  }
  if (wish.axes !== undefined && wish.axes < axes)
    throw refuse(
      'value-mismatch',
      ['axes'],
      `axes is ${wish.axes}; expected ${axes} at least, because the mistake is not made otherwise`,
    );
  return { options, ...(wish.axes === undefined ? {} : { axes: wish.axes }) };
}

/** @throws {Refusal} where the options that were wished do not fit each other, or the rest of the case */
function draw(checks: Checks, seed: number, wish: Wish, { afford, kernels }: Pick<Wanted, 'afford' | 'kernels'>): Case {
  const { layer } = checks;
  const numbers = numbersOf(seed);
  const { inputs, options, upstream, drawn } = checks.example(numbers, wish.options ?? {}, wish.axes);
  try {
    const { outputs, cost } = layer.plan(inputs, options);
    afford?.(cost);
    const gradients = upstream.map((name) => [`d${name}`, numbers.tensor(outputs[name])]);
    const call: Call = { inputs, options, upstream: Object.fromEntries(gradients) as Tensors, drawn: drawn ?? {} };
    return { call, answers: rightAnswers(checks, call, kernels) };
  } catch (error) {
    throw error instanceof Refusal ? refuse(error.kind, ['options'], error.message) : error;
  }
}

/** How many pairs of mistakes look alike here, those that look like the right answer included. */
function judge(checks: Checks, { call, answers }: Case, wanted: MistakeText | undefined) {
  const looks = new Map<string, { tensors: readonly string[]; values: Tensors[] }>();
  for (const alternative of checks.alternatives(call, answers, {})) {
    const { text } = alternative;
    if (!canBeMade(text, call)) continue;
    const entry = looks.get(text.id) ?? { tensors: text.tensors, values: [] };
    entry.values.push(valuesOf(alternative));
    looks.set(text.id, entry);
  }
  const all = [...looks];
  const shown = all.filter(([, { values }]) => values.some((value) => differs(value, answers)));
  let alike = all.length - shown.length;
  for (const [i, [, first]] of shown.entries())
    for (const [, second] of shown.slice(i + 1))
      if (first.values.some((a) => second.values.some((b) => isAlike(a, b)))) alike++;
  return { alike, shows: wanted === undefined || shown.some(([id]) => id === wanted.id) };
}

function valuesOf({ text, tensor, release }: Alternative): Tensors {
  const values = text.tensors.map((name) => [name, tensor(name)] as const).filter(([, value]) => value !== undefined);
  release();
  return Object.fromEntries(values) as Tensors;
}

function isSame(a: Tensor, b: Tensor): boolean {
  return sameShape(a.shape, b.shape) && areClose(a.data, b.data, APART);
}

function differs(values: Tensors, answers: Tensors): boolean {
  return Object.entries(values).some(([name, value]) => name in answers && !isSame(value, answers[name]));
}

/** Two mistakes of the same tensors that give the same: nothing can tell them apart here. */
function isAlike(a: Tensors, b: Tensors): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => name in b && isSame(a[name], b[name]));
}
