/** Computes the results of mistakes from the formulas that were written instead of the right ones. */
import { Evaluation } from '../formulas/evaluate.js';
import { axesOfName, shapeOver, usualLines, type Change, type Line, type Program } from '../formulas/program.js';
import { changedTo, rewritten, type Pass, type Rewritten } from '../formulas/rewritten.js';
import type { Instance, Tensors } from '../layers/instance.js';
import { tensor, type Tensor } from '../tensor/tensor.js';
import { areClose, largestMagnitude } from './compare.js';
import type { Alternative, MistakeText } from './definition.js';
import { FLOAT64_NOISE } from './rounding.js';

/** One way to make a mistake. */
export interface Way {
  /** Replaces the explanation of the mistake by a more specific one. */
  readonly explanation?: string;
  /** Whether it is derived from the claim, and so fits many claims. */
  readonly isFitted?: boolean;
  /** What was written, each instead of the formula for the same quantity; it may depend on the kind of instance. */
  readonly formulas?: readonly string[] | ((instance: Instance) => readonly string[]);
  /** What was used instead of given quantities. */
  readonly given?: (instance: Instance, claims: Tensors, right: Tensors) => Misread | undefined;
  /** The pass that has the mistake, if the other one computes its own values. */
  readonly only?: Pass;
  /**
   * Another program for the same layer instead of `formulas`, `given` and `only`, where a tensor gets another size.
   * Undefined if it cannot be written for the instance.
   */
  readonly program?: (instance: Instance, claims: Tensors) => Program | undefined;
}

/** Other values of given quantities, or other lengths of sequences. */
export type Misread = Pick<Change, 'given' | 'lengths'>;

/** Largest relative difference between the formulas and the kernels. */
const AGREEMENT = 1e-9;

/** The same for values that were rounded to float32: the relative spacing of its numbers. */
const FLOAT32 = 2 ** -23;

/** The formulas of an instance, evaluated. Where they disagree with the right answer, nothing is derived from them. */
export class Formulas {
  readonly evaluation: Evaluation;
  readonly usual: readonly Line[];
  /** The largest magnitude of a given value: sums of such terms that should be 0 differ from it by rounding. */
  private readonly largest: number;

  constructor(
    readonly program: Program,
    readonly right: Tensors,
  ) {
    this.evaluation = new Evaluation(program);
    this.usual = usualLines(program);
    const tensors = Object.values(program.given).filter(({ axes }) => axes !== '');
    this.largest = Math.max(0, ...tensors.map(({ data }) => largestMagnitude(Float64Array.from(data))));
  }

  agrees(name: string): boolean {
    if (!(name in this.right) || !this.evaluation.has(name)) return false;
    const own = this.evaluation.right(name);
    const right = this.right[name];
    // The answers to a request in float32 are rounded to it.
    const rtol = right.data.every((value) => Object.is(Math.fround(value), value)) ? FLOAT32 : AGREEMENT;
    const atol = Math.max(AGREEMENT * largestMagnitude(own), FLOAT64_NOISE * this.largest);
    return areClose({ data: own }, right, { rtol, atol });
  }
}

interface Writing {
  readonly formulas: Formulas;
  readonly instance: Instance;
  readonly claims: Tensors;
}

/** @returns undefined if the mistake cannot be made in the instance, or if that lacks what the formulas read */
export function writtenAs(text: MistakeText, way: Way, writing: Writing): Alternative | undefined {
  const { formulas, instance, claims } = writing;
  if (way.program) {
    const program = way.program(instance, claims);
    return program && new OfAnotherProgram(text, formulas, program, way.isFitted === true);
  }
  const misread = way.given?.(instance, claims, formulas.right);
  if (way.given && !misread) return undefined;
  const texts = typeof way.formulas === 'function' ? way.formulas(instance) : (way.formulas ?? []);
  const lines = rewritten(formulas.program, texts, way.only);
  if (!lines) return undefined;
  const { program, usual } = formulas;
  const whole = misread ? changedTo(program, usual, lines.change.lines ?? new Map(), misread, way.only) : lines;
  return new Written(text, formulas, whole, way);
}

/** A slip in formulas as if it were a known mistake, so that it can be combined with others. */
export const editedAs = (text: MistakeText, change: Change, lines: readonly Line[], formulas: Formulas): Alternative =>
  new Written(text, formulas, { change, lines, reshaped: new Map() }, {});

class Written implements Alternative {
  private values: Record<string, Tensor> | undefined;

  constructor(
    readonly text: MistakeText,
    private readonly formulas: Formulas,
    private readonly written: Rewritten,
    private readonly way: Way,
  ) {}

  get isFitted(): boolean {
    return this.way.isFitted === true;
  }

  get edit(): Rewritten {
    return this.written;
  }

  readonly tensor = (name: string): Tensor | undefined => {
    const { right } = this.formulas;
    if (!this.formulas.agrees(name)) return undefined;
    this.values ??= this.evaluated();
    return name in this.values ? this.values[name] : right[name];
  };

  readonly release = (): void => {
    this.values = undefined;
  };

  readonly and = (other: Alternative): Alternative | undefined => {
    if (!(other instanceof Written) || other.formulas !== this.formulas) return undefined;
    const [a, b] = [this.written.change, other.written.change];
    const [ours, theirs] = [a.lines ?? new Map<Line, Line>(), b.lines ?? new Map<Line, Line>()];
    if ([...ours.keys()].some((line) => theirs.has(line))) return undefined;
    if (Object.keys(a.given ?? {}).some((name) => name in (b.given ?? {}))) return undefined;
    if (this.way.only !== other.way.only || this.isFitted || other.isFitted) return undefined;
    if (this.written.reshaped.size + other.written.reshaped.size > 0) return undefined;
    const { program, usual } = this.formulas;
    if (a.lengths && b.lengths) return undefined;
    const lengths = a.lengths ?? b.lengths;
    const misread = { given: { ...a.given, ...b.given }, ...(lengths ? { lengths } : {}) };
    const both = changedTo(program, usual, new Map([...ours, ...theirs]), misread, this.way.only);
    const text = {
      id: `${this.text.id}+${other.text.id}`,
      tensors: [...new Set([...this.text.tensors, ...other.text.tensors])],
      explanation: `Two mistakes at once. ${this.text.explanation} ${other.text.explanation}`,
      fix: this.text.fix === other.text.fix ? this.text.fix : `${this.text.fix}; and ${other.text.fix}`,
    };
    return new Written(text, this.formulas, both, {});
  };

  /** The values of the tensors that the mistake changes. */
  private evaluated(): Record<string, Tensor> {
    const { evaluation, program, right } = this.formulas;
    const { change, lines, reshaped } = this.written;
    for (const { name, axes } of reshaped.values()) evaluation.reserve(name, axes);
    const changed = new Set(lines.map(({ target }) => target));
    const found = evaluation.withChange(change, lines, () => {
      const values: Record<string, Tensor> = {};
      for (const name of changed) {
        if (!(name in right)) continue;
        const other = reshaped.get(name);
        const data = evaluation.now(other?.name ?? name);
        const shape = other ? shapeOver(program, other.axes) : right[name].shape;
        values[name] = tensor(shape, copyLike(right[name], data));
      }
      return values;
    });
    return found ?? {};
  }
}

/** A mistake whose tensors come from another program, with their own shapes. */
class OfAnotherProgram implements Alternative {
  private evaluation: Evaluation | undefined;

  constructor(
    readonly text: MistakeText,
    private readonly formulas: Formulas,
    private readonly program: Program,
    readonly isFitted: boolean,
  ) {}

  readonly tensor = (name: string): Tensor | undefined => {
    if (!this.formulas.agrees(name) || !this.program.lines.some(({ target }) => target === name)) return undefined;
    this.evaluation ??= new Evaluation(this.program);
    const shape = shapeOver(this.program, axesOfName(this.program, name, new Map()));
    const data = this.evaluation.right(name);
    return tensor(shape, copyLike(this.formulas.right[name], data));
  };

  readonly release = (): void => {
    this.evaluation = undefined;
  };

  readonly and = (): undefined => undefined;
}

/** A copy of values as integers if the right tensor has integers. */
const copyLike = ({ data }: Tensor, values: Float64Array) =>
  data instanceof Int32Array ? Int32Array.from(values) : Float64Array.from(values);

/** The instance with the masks that the layer draws, except where the implementation's own are given. */
export function withMasks(instance: Instance, right: Tensors): Instance {
  const masks = Object.entries(right).filter(([, { data }]) => data instanceof Uint8Array);
  return { ...instance, drawn: { ...Object.fromEntries(masks), ...instance.drawn } };
}
