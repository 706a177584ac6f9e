/**
 * Searches for the slip in a formula that explains wrong claims. Each candidate is evaluated, and dropped at the first
 * claim that contradicts it.
 */
import { dependents, Evaluation } from '../formulas/evaluate.js';
import type { Change, Line, Program, TableSlip } from '../formulas/program.js';
import { namesIn } from '../formulas/language.js';
import { editsOf, explanationOf, type Edit } from '../formulas/edits.js';
import { formulas } from '../formulas/layers/registry.js';
import { formulaOf, texOf, textOf } from '../formulas/text.js';
import type { Diagnosis } from '../../schemas/check.js';
import { sameShape, tensor } from '../tensor/tensor.js';
import { areClose, largestMagnitude } from './compare.js';
import type { Instance } from '../layers/instance.js';
import { explainedByPlace, isEvidence } from './evidence.js';
import { fits, type Trial } from './trial.js';

/** Where a slip has an effect: everywhere, or only in one direction if each computes its own values. */
type Scope = 'all' | 'forward' | 'backward';

/** One slip, in one or several formulas. */
interface Candidate {
  readonly change: Change;
  /** What depends on it. */
  readonly lines: readonly Line[];
  readonly rank: number;
  /** Whether it is in the usual formulas. */
  readonly isUsual: boolean;
  readonly diagnosis: () => Diagnosis;
}

interface Found extends Candidate {
  /** The claims that it explains. */
  readonly names: readonly string[];
}

/**
 * The slips that explain a wrong claim, best first.
 *
 * @param isUsual whether those in the usual formulas are asked for, or those in other ways to compute the same
 */
export type Slips = (name: string, isUsual: boolean) => Diagnosis[];

export function slipsIn(layer: string, instance: Instance, trials: readonly Trial[]): Slips {
  if (!(layer in formulas)) return () => [];
  let found: readonly Found[] | undefined;
  return (name, isUsual) => {
    found ??= new SlipSearch(formulas[layer](instance), trials).find();
    const best = found.filter((each) => each.names.includes(name) && each.isUsual === isUsual);
    return best.map(({ diagnosis }) => diagnosis());
  };
}

/** Largest relative difference between the formulas and the kernels. */
const AGREEMENT = 1e-9;

class SlipSearch {
  private readonly evaluation: Evaluation;
  private readonly trials: ReadonlyMap<string, Trial>;
  private readonly wrong: ReadonlySet<string>;
  private readonly scopes = new Map<string, readonly Line[]>();

  constructor(
    private readonly program: Program,
    trials: readonly Trial[],
  ) {
    this.evaluation = new Evaluation(program);
    const comparable = trials.filter(({ claimed, right }) => sameShape(claimed.shape, right.shape));
    this.trials = new Map(comparable.map((trial) => [trial.name, trial]));
    this.wrong = new Set(
      comparable.filter(({ claimed, rounded, looser }) => !areClose(claimed, rounded, looser)).map(({ name }) => name),
    );
  }

  find(): readonly Found[] {
    if (this.wrong.size === 0 || !this.agrees()) return [];
    const candidates = this.candidates();
    const whole = this.tryAll(candidates, true);
    const explained = new Set(whole.flatMap(({ names }) => names));
    if ([...this.wrong].every((name) => explained.has(name))) return whole;
    const parts = this.tryAll(candidates, false).filter(({ names }) => names.some((name) => !explained.has(name)));
    return [...whole, ...parts];
  }

  /** Where the formulas do not give the right answers (at an overflow, perhaps), they explain nothing. */
  private agrees(): boolean {
    return [...this.trials.values()].every(({ name, right }) => {
      if (!this.evaluation.has(name)) return true;
      const own = this.evaluation.right(name);
      const largest = largestMagnitude(own);
      return areClose({ data: own }, right, { rtol: AGREEMENT, atol: AGREEMENT * largest });
    });
  }

  private candidates(): Candidate[] {
    const styles = [undefined, ...new Set(this.program.lines.flatMap(({ style }) => style ?? []))];
    const found = styles.flatMap((style) => {
      const lines = linesOf(this.program, style);
      const edits = editsOf(this.program, lines);
      return [
        ...edits.flatMap((edit) => this.scoped([edit], lines, style)),
        ...alike(edits).flatMap((group) => this.scoped(group, lines, style)),
      ];
    });
    return [
      ...found,
      ...(this.program.slips ?? []).flatMap((slip) => this.ofTable(slip, linesOf(this.program, undefined))),
    ];
  }

  private scoped(edits: readonly Edit[], lines: readonly Line[], style: string | undefined): Candidate[] {
    const scopes: readonly Scope[] = edits[0].line.part === 'backward' ? ['all'] : ['all', 'forward', 'backward'];
    const changed = edits.map(({ line }) => line);
    const everywhere = this.affected('all', lines, changed);
    return scopes.flatMap((scope) => {
      const affected = this.affected(scope, lines, changed);
      if (scope !== 'all' && affected.length === everywhere.length) return [];
      // A claimed output is what forward made of it.
      if (scope === 'backward' && changed.some(({ target }) => this.trials.has(target))) return [];
      // A style is tried only where one of its own lines is affected; elsewhere it equals the usual formulas.
      if (affected.length === 0 || (style !== undefined && !affected.some((line) => line.style === style))) return [];
      return {
        change: { lines: new Map(edits.map(({ line, to }) => [line, to])) },
        lines: affected,
        rank: Math.max(...edits.map(({ rank }) => rank)) + distanceOf(scope, affected, edits.length),
        isUsual: style === undefined,
        diagnosis: () => diagnosisOf(edits, scope),
      };
    });
  }

  /** A wrong table may be used everywhere, in one direction, or in one formula. */
  private ofTable(slip: TableSlip, lines: readonly Line[]): Candidate[] {
    const readers = lines.filter((line) => slip.names.some((name) => reads(line, name)));
    const uses: readonly (readonly [Scope, readonly Line[]])[] = [
      ['all', readers],
      ['forward', readers.filter(({ part }) => part === 'forward')],
      ['backward', readers.filter(({ part }) => part === 'backward')],
      ...readers.map((line) => ['all', [line]] as const),
    ];
    const known = new Set<string>();
    return uses.flatMap(([scope, changed]) => {
      const key = changed.map((line) => lines.indexOf(line)).join();
      if (changed.length === 0 || known.has(key)) return [];
      known.add(key);
      const affected = this.affected(scope, lines, changed);
      // The wrong table is read by all that is evaluated.
      const isElsewhere = affected.some((line) => readers.includes(line) && !changed.includes(line));
      if (affected.length === 0 || isElsewhere) return [];
      const where = changed.length === readers.length ? '' : ` This applies only to ${listed(changed.map(formulaOf))}.`;
      return {
        change: { given: slip.given, ...(slip.lengths ? { lengths: slip.lengths } : {}) },
        lines: affected,
        rank: slip.rank + (changed.length === readers.length ? 0 : 1),
        isUsual: true,
        diagnosis: () => ({ id: slip.id, explanation: `${slip.wrong}.${where}`, fix: slip.fix }),
      };
    });
  }

  /** What depends on changed lines within a scope; nothing if no wrong claim does. */
  private affected(scope: Scope, lines: readonly Line[], changed: readonly Line[]): readonly Line[] {
    const key = `${scope} ${changed.map((line) => this.numberOf(line)).join()} ${lines.map(({ style }) => style ?? '').join('')}`;
    const known = this.scopes.get(key);
    if (known) return known;
    const inScope = lines.filter((line) => scope === 'all' || line.part === scope || changed.includes(line));
    const all = dependents(inScope, changed);
    const affected = all.some(({ target }) => this.wrong.has(target)) ? all : [];
    this.scopes.set(key, affected);
    return affected;
  }

  private numberOf(line: Line): number {
    return this.program.lines.indexOf(line);
  }

  private tryAll(candidates: readonly Candidate[], isWhole: boolean): Found[] {
    const found = candidates.flatMap((candidate) => {
      const names = this.explains(candidate, isWhole);
      return names ? [{ ...candidate, names }] : [];
    });
    return found.sort((a, b) => b.names.length - a.names.length || a.rank - b.rank);
  }

  /** The claims that a candidate explains; undefined if there are none, or if `isWhole` and it contradicts a claim. */
  private explains({ change, lines }: Candidate, isWhole: boolean): string[] | undefined {
    const { trials, wrong, evaluation } = this;
    const names: string[] = [];
    const goesOn = (target: string): boolean => {
      const trial = trials.get(target);
      if (!trial) return true;
      const values = { data: evaluation.now(target) };
      if (areClose(trial.claimed, { ...values, room: trial.rounded.room }, trial.looser)) {
        if (wrong.has(target)) names.push(target);
        return true;
      }
      return !isWhole;
    };
    const isTried = evaluation.withChange(change, lines, () => names.length > 0 && this.isForced(names), goesOn);
    return isTried ? names : undefined;
  }

  /** Whether chance could not have given the same. */
  private isForced(names: readonly string[]): boolean {
    const explained = names.map((name) => {
      const trial = this.trials.get(name);
      if (!trial) return 0;
      const { claimed, rounded, tolerance, looser, right } = trial;
      const value = tensor(right.shape, Float64Array.from(this.evaluation.now(name)));
      if (!fits(trial, value, tolerance) && !fits(trial, value, looser)) return -Infinity;
      return explainedByPlace(claimed, rounded, looser);
    });
    return isEvidence(explained.reduce((sum, count) => sum + count, 0));
  }
}

/** The lines of a program in one style: its lines replace the usual ones. */
function linesOf({ lines }: Program, style: string | undefined): Line[] {
  const own = lines.filter((line) => line.style !== undefined && line.style === style);
  const targets = new Set(own.map(({ target }) => target));
  const usual = lines.filter((line) => line.style === undefined);
  const kept = usual.filter(({ target }) => !targets.has(target));
  const last = usual.findLastIndex(({ target }) => targets.has(target));
  const at = usual.slice(0, last + 1).filter(({ target }) => !targets.has(target)).length;
  return [...kept.slice(0, at), ...own, ...kept.slice(at)];
}

/** The shortest way from a slip to the claims comes first. */
const distanceOf = (scope: Scope, lines: readonly Line[], changed: number) =>
  (scope === 'all' ? 0 : SCOPED) + (lines.length - changed) * WAY;

/** A slip in a value that one direction computes again for itself is less usual. */
const SCOPED = 4;
const WAY = 0.2;

/** Groups without those that have the same edits as another. */
function unique(groups: readonly Edit[][]): Edit[][] {
  return groups.filter(
    (group, i) => groups.findIndex(({ length, 0: first }) => length === group.length && first === group[0]) === i,
  );
}

const NAME = /[A-Za-zσ_]\w*\u0302?/gu;

/** Edits of the same kind in several lines, which one slip in a shared helper makes together. */
function alike(edits: readonly Edit[]): Edit[][] {
  const groups = new Map<string, Map<Line, Edit>>();
  for (const edit of edits) {
    const isNamed = edit.kind === 'wrong_quantity' || edit.kind === 'wrong_time_step';
    const what = isNamed ? edit.wrong : edit.wrong.replaceAll(NAME, '·');
    const key = `${edit.line.part} ${edit.kind} ${isNamed ? '' : shapeOf(edit)} ${what}`;
    const group = groups.get(key) ?? new Map<Line, Edit>();
    if (!group.has(edit.line)) group.set(edit.line, edit);
    groups.set(key, group);
  }
  return [...groups.values()].flatMap((group) => {
    const all = [...group.values()];
    // The gradients of parameters are often accumulated together, and two biases may share one variable.
    const parameters = all.filter(({ line }) => !line.scan && !line.at);
    const formulas = new Set(all.map(({ line }) => textOf(line.value)));
    const same = [...formulas].map((formula) => all.filter(({ line }) => textOf(line.value) === formula));
    return unique([all, parameters, ...same]).filter(({ length }) => length > 1);
  });
}

const shapeOf = ({ part }: Edit) => textOf(part).replaceAll(NAME, '·');

function diagnosisOf([first, ...others]: readonly Edit[], scope: Scope): Diagnosis {
  const likewise =
    others.length === 0 ? '' : ` The same holds for ${listed(others.map(({ line }) => formulaOf(line)))}.`;
  const where = scope === 'backward' ? ' Only backward has this slip.' : '';
  return {
    id: `${first.line.target}:${first.kind}`,
    explanation: `${explanationOf(first)}${likewise}${where}`,
    fix: first.fix,
    formula: texOf(first.line, first.part),
  };
}

function listed(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join('; ')}; and ${parts.at(-1) ?? ''}`;
}

function reads({ value, at }: Line, name: string): boolean {
  return namesIn(value).has(name) || (at ?? []).some((each) => 'table' in each && each.table === name);
}
