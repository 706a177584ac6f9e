/** Inputs that expose the known mistakes and, as far as possible, tell them apart. Slips are not considered. */
import { TOLERANCES } from '../../schemas/check.js';
import type { Kernels } from '../kernels/kernels.js';
import type { Plan } from '../layers/definition.js';
import { refuse, Refusal } from '../refusal.js';
import { sameShape, type Tensor } from '../tensor/tensor.js';
import { rightAnswers } from './answers.js';
import { areClose } from './compare.js';
import type { Instance, Tensors } from '../layers/instance.js';
import { neededOptions, type Alternative, type Checks, type MistakeText, type Wish } from './definition.js';
import { numbersOf } from './random.js';

export interface Case {
  readonly instance: Instance;
  readonly answers: Tensors;
}

interface Wanted {
  readonly seed: number;
  /** The mistake that the case must expose, if there is one. */
  readonly mistake: MistakeText | undefined;
  readonly wish?: Wish;
  /** Throws if the wish costs too much. */
  readonly afford?: ((cost: Plan['cost']) => void) | undefined;
  readonly kernels: Kernels;
}

/** The first few tries are usually enough. If mistakes are hard to tell apart, the best of all tries is used. */
export const MOST_TRIES = 12;

/** Two mistakes that differ by no more than this would look the same in float32. */
const { float32: APART } = TOLERANCES;

/** Step between the seeds that are tried: 2^32 over the golden ratio, so that similar seeds get different cases. */
const STEP = 0x9e3779b1;

/** @throws {Refusal} if the requested options contradict each other or hide the mistake */
export function caseOf(checks: Checks, wanted: Wanted): Case {
  const { mistake } = wanted;
  let best: { made: Case; alike: number } | undefined;
  for (const made of tries(checks, wanted)) {
    if (mistake && !showsIn(checks, made, mistake)) continue;
    const alike = alikeIn(checks, made);
    if (!best || alike < best.alike) best = { made, alike };
    if (alike === 0) break;
  }
  if (!best) throw hiding(checks, wanted);
  return best.made;
}

function* tries(checks: Checks, { seed, mistake, wish = {}, afford, kernels }: Wanted): Generator<Case> {
  for (let attempt = 0; attempt < MOST_TRIES; attempt++)
    yield draw(checks, (seed + attempt * STEP) % 2 ** 53, wishFor(mistake, wish), { afford, kernels });
}

/** Names the requested option, or the number of axes, that hides the mistake. */
function hiding(checks: Checks, wanted: Wanted): Refusal {
  const { mistake, wish: { options = {}, axes } = {} } = wanted;
  const shows = (wish: Wish) => {
    for (const made of tries(checks, { ...wanted, wish })) if (mistake && showsIn(checks, made, mistake)) return true;
    return false;
  };
  const because = `because ${mistake?.id ?? 'the mistake'} does not show with`;
  for (const [name, value] of Object.entries(options)) {
    const { [name]: _, ...others } = options;
    if (shows({ options: others, ...(axes === undefined ? {} : { axes }) }))
      return refuse(
        'value-mismatch',
        ['options', name],
        `${name} is ${JSON.stringify(value)}; expected another value, ${because} this one`,
      );
  }
  if (axes !== undefined && shows({ options }))
    return refuse('value-mismatch', ['axes'], `axes is ${axes}; expected another number, ${because} this one`);
  if (Object.keys(options).length === 0)
    return refuse('value-mismatch', ['seed'], `seed is ${wanted.seed}; expected another one, ${because} this one`);
  return refuse(
    'value-mismatch',
    ['options'],
    `options is ${JSON.stringify(options)}; expected others, ${because} these`,
  );
}

/**
 * The request together with what the mistake needs.
 *
 * @throws {Refusal} if the two contradict each other
 */
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
          .join(' or ')}, because the mistake cannot be made otherwise`,
      );
  }
  if (wish.axes !== undefined && wish.axes < axes)
    throw refuse(
      'value-mismatch',
      ['axes'],
      `axes is ${wish.axes}; expected at least ${axes}, because the mistake cannot be made otherwise`,
    );
  return { options, ...(wish.axes === undefined ? {} : { axes: wish.axes }) };
}

/** @throws {Refusal} if the requested options contradict each other or do not fit the rest of the case */
function draw(checks: Checks, seed: number, wish: Wish, { afford, kernels }: Pick<Wanted, 'afford' | 'kernels'>): Case {
  const { layer } = checks;
  const numbers = numbersOf(seed);
  const { inputs, options, upstream, drawn } = checks.example(numbers, wish.options ?? {}, wish.axes);
  try {
    const { outputs, cost } = layer.plan(inputs, options);
    afford?.(cost);
    const gradients = upstream.map((name) => [`d${name}`, numbers.tensor(outputs[name])]);
    const instance: Instance = {
      inputs,
      options,
      upstream: Object.fromEntries(gradients) as Tensors,
      drawn: drawn ?? {},
    };
    return { instance, answers: rightAnswers(checks, instance, kernels) };
  } catch (error) {
    throw error instanceof Refusal ? refuse(error.kind, ['options'], error.message) : error;
  }
}

function showsIn(checks: Checks, { instance, answers }: Case, { id }: MistakeText): boolean {
  return (
    checks
      .alternatives(instance, answers, {})
      .filter(({ text }) => text.id === id)
      // A mistake fitted to a claim changes nothing until there is a claim.
      .some((alternative) => alternative.isFitted || differs(valuesOf(alternative), answers))
  );
}

/** Number of pairs of mistakes that look alike here, plus the number of mistakes that do not show. */
function alikeIn(checks: Checks, { instance, answers }: Case): number {
  const looks = new Map<string, Tensors[]>();
  for (const alternative of checks.alternatives(instance, answers, {})) {
    const { id } = alternative.text;
    looks.set(id, [...(looks.get(id) ?? []), valuesOf(alternative)]);
  }
  const shown = [...looks.values()].filter((values) => values.some((value) => differs(value, answers)));
  let alike = looks.size - shown.length;
  for (const [i, first] of shown.entries())
    for (const second of shown.slice(i + 1)) if (first.some((a) => second.some((b) => isAlike(a, b)))) alike++;
  return alike;
}

function valuesOf({ text, tensor, release }: Alternative): Tensors {
  const values = text.tensors.map((name) => [name, tensor(name)] as const).filter(([, value]) => value !== undefined);
  release();
  return Object.fromEntries(values) as Tensors;
}

function isSame(a: Tensor, b: Tensor): boolean {
  return sameShape(a.shape, b.shape) && areClose(a, b, APART);
}

function differs(values: Tensors, answers: Tensors): boolean {
  return Object.entries(values).some(([name, value]) => name in answers && !isSame(value, answers[name]));
}

/** Whether two mistakes give the same tensors the same values, so that nothing tells them apart here. */
function isAlike(a: Tensors, b: Tensors): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => name in b && isSame(a[name], b[name]));
}
