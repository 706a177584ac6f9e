/**
 * Searches for the slip in a formula, or in a table of indices, that explains wrong claims. Each candidate is tried on a
 * part of the problem first. It is dropped if it makes a right claim wrong, or if it does not explain the first wrong
 * claim that depends on it.
 */
import { candidatesOf, linesIn, reads, Scopes, type Candidate, type Scope } from '../formulas/candidates.js';
import { dependents } from '../formulas/evaluate.js';
import { movedLines, tableOf } from '../formulas/loop-slips.js';
import { explanationOf, type Edit } from '../formulas/edits.js';
import type { Change, Line, Program, TableSlip } from '../formulas/program.js';
import { formulaOf, texOf } from '../formulas/text.js';
import type { Diagnosis } from '../../schemas/check.js';
import { sameShape, tensor } from '../tensor/tensor.js';
import { areClose, isClose } from './compare.js';
import { explainedByPlace, isEvidence } from './evidence.js';
import { Costs, Parts } from './parts.js';
import { fits, type Trial } from './trial.js';
import type { Alternative } from './definition.js';
import { editedAs, type Formulas } from './written.js';

/** A change of formulas or of given values that may explain claims. */
interface Possibility {
  readonly change: Change;
  /** The lines to evaluate, in order: those that changed, and those that depend on them. */
  readonly lines: readonly Line[];
  readonly rank: number;
  /** Number of formulas that were edited. */
  readonly edits: number;
  readonly diagnosis: () => Diagnosis;
}

interface Found extends Possibility {
  /** The claims that it explains. */
  readonly names: readonly string[];
  /** Whether it contradicts no claim. */
  readonly isWhole: boolean;
}

/** Once a slip explains everything, only those whose rank is at most this much higher are tried. */
const AS_USUAL = 1;

/** Searches for slips: first in the usual formulas, and, if asked, in other ways to compute the same. */
export class SlipSearch {
  private readonly trials: ReadonlyMap<string, Trial>;
  private readonly wrong: ReadonlySet<string>;
  /** By whether they are slips in the usual formulas. */
  private readonly found = new Map<boolean, readonly Found[]>();
  /** The part of the problem on which candidates are tried first, by the claim that they must explain. */
  private readonly parts: Parts;
  private readonly costs: Costs;

  /** @param left nanoseconds that the search may take, estimated from the sizes of the loops */
  constructor(
    private readonly formulas: Formulas,
    trials: readonly Trial[],
    private left: number,
  ) {
    const comparable = trials.filter(({ claimed, right }) => sameShape(claimed.shape, right.shape));
    this.trials = new Map(comparable.map((trial) => [trial.name, trial]));
    this.wrong = new Set(
      comparable.filter(({ claimed, rounded, looser }) => !areClose(claimed, rounded, looser)).map(({ name }) => name),
    );
    this.parts = new Parts(formulas);
    this.costs = new Costs(formulas.program);
  }

  /** Whether the time is used up, so that the search ends early. */
  get isCut(): boolean {
    return this.left < 0;
  }

  /** The slips that explain a wrong claim, best first. */
  explaining(name: string, isUsual: boolean): Diagnosis[] {
    const found = this.found.get(isUsual) ?? this.find(isUsual);
    this.found.set(isUsual, found);
    return found.filter(({ names }) => names.includes(name)).map(({ diagnosis }) => diagnosis());
  }

  /** How many claims a slip in the usual formulas explains together with one. */
  mostExplained(name: string): number {
    this.explaining(name, true);
    const found = (this.found.get(true) ?? []).filter(({ names }) => names.includes(name));
    return Math.max(0, ...found.map(({ names }) => names.length));
  }

  private find(isUsual: boolean): readonly Found[] {
    if (this.wrong.size === 0 || !this.agrees()) return [];
    return this.tryAll(this.possibilities(isUsual));
  }

  /** The most usual slips in a single formula, as alternatives that can be combined with others. */
  usualEdits(most: number): Alternative[] {
    if (!this.agrees()) return [];
    return candidatesOf(this.formulas.program, true)
      .filter(({ edits, scope, targets }) => {
        return edits.length === 1 && scope === 'all' && [...this.wrong].some((name) => targets.has(name));
      })
      .slice(0, most)
      .map(({ edits, lines, targets, scope }) => {
        const tensors = [...this.trials.keys()].filter((name) => targets.has(name));
        const change = { lines: new Map(edits.map(({ line, to }) => [line, to])) };
        return editedAs({ ...diagnosisOf(edits, scope), tensors }, change, lines, this.formulas);
      });
  }

  private agrees(): boolean {
    const { evaluation } = this.formulas;
    return [...this.trials.keys()].every((name) => !evaluation.has(name) || this.formulas.agrees(name));
  }

  /** Most usual first. */
  private possibilities(isUsual: boolean): Possibility[] {
    const { program } = this.formulas;
    const affects = ({ targets }: Candidate) => [...this.wrong].some((name) => targets.has(name));
    const found = candidatesOf(program, isUsual)
      .filter(affects)
      // A claim shows what forward computed: a slip in the formula of a claimed tensor is not in backward only.
      .filter(({ scope, edits }) => scope !== 'backward' || !edits.some(({ line }) => this.trials.has(line.target)))
      // A sum that happens to be 0 except for rounding was computed.
      .filter(({ edits }) => !edits.some(({ kind, line }) => kind === 'never_computed' && this.isComputed(line.target)))
      // Another tensor in place of a claimed one is a mistake of any layer.
      .filter(({ edits }) => !edits.some(({ kind, line }) => kind === 'another_value' && this.trials.has(line.target)))
      .map(({ edits, scope, lines, rank }) => ({
        change: { lines: new Map(edits.map(({ line, to }) => [line, to])) },
        ...{ lines, rank, edits: edits.length },
        diagnosis: () => diagnosisOf(this.claimed(edits), scope),
      }));
    return isUsual ? [...found, ...this.ofTables(program)].sort((a, b) => a.rank - b.rank) : found;
  }

  /** Those of several edits that a claim depends on: the others may not have been made. */
  private claimed(edits: readonly Edit[]): readonly Edit[] {
    if (edits.length < 2) return edits;
    const { lines } = this.formulas.program;
    const shown = edits.filter(({ line }) =>
      dependents(
        lines.filter(({ style }) => style === undefined || style === line.style),
        [line],
      ).some(({ target }) => this.trials.has(target)),
    );
    return shown.length > 0 ? shown : edits;
  }

  private isComputed(target: string): boolean {
    return this.trials.get(target)?.claimed.data.some((value) => value !== 0) === true;
  }

  /** A wrong table may be used everywhere, in one pass, or in one formula. */
  private ofTables(program: Program): Possibility[] {
    const lines = linesIn(program, undefined);
    const scopes = new Scopes(lines);
    return (program.slips ?? []).flatMap((slip) => this.ofTable(slip, lines, scopes));
  }

  private ofTable(slip: TableSlip, lines: readonly Line[], scopes: Scopes): Possibility[] {
    const { program, evaluation } = this.formulas;
    const { moved } = slip;
    if (moved) evaluation.reserve(tableOf(moved), moved.over);
    const others = moved ? movedLines(program, lines, moved) : new Map<Line, Line>();
    const given = moved ? { [tableOf(moved)]: moved.table } : slip.given;
    const readers = moved ? [...others.keys()] : lines.filter((line) => slip.names.some((name) => reads(line, name)));
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
      const { lines: affected, targets } = scopes.by(changed, scope);
      // A changed table is changed for every line that is evaluated, so none of them may need the right one.
      const isElsewhere = !moved && affected.some((line) => readers.includes(line) && !changed.includes(line));
      if (isElsewhere || ![...this.wrong].some((name) => targets.has(name))) return [];
      const where = changed.length === readers.length ? '' : ` This applies only to ${listed(changed.map(formulaOf))}.`;
      return {
        change: {
          given,
          lines: new Map([...others].filter(([line]) => changed.includes(line))),
          ...(slip.lengths ? { lengths: slip.lengths } : {}),
        },
        lines: affected,
        rank: slip.rank + (changed.length === readers.length ? 0 : 1),
        edits: 1,
        diagnosis: () => ({ id: slip.id, explanation: `${slip.wrong}.${where}`, fix: slip.fix }),
      };
    });
  }

  private tryAll(possible: readonly Possibility[]): Found[] {
    const found: Found[] = [];
    let most = Infinity;
    for (const each of possible) {
      if (each.rank > most || this.isCut) break;
      const explained = this.explains(each);
      if (!explained) continue;
      found.push({ ...each, ...explained });
      if (explained.isWhole && explained.names.length === this.wrong.size) most = Math.min(most, each.rank + AS_USUAL);
    }
    // The same edit in several formulas says no more about the same claims.
    const single = new Set(found.filter(({ edits }) => edits === 1).map(({ names }) => names.join()));
    // What contradicts a claim is named only for claims that nothing else explains.
    const whole = new Set(found.filter(({ isWhole }) => isWhole).flatMap(({ names }) => names));
    return found
      .filter(({ isWhole, names }) => isWhole || names.some((name) => !whole.has(name)))
      .filter(({ edits, names }) => edits < 2 || !single.has(names.join()))
      .sort((a, b) => Number(b.isWhole) - Number(a.isWhole) || b.names.length - a.names.length || a.rank - b.rank);
  }

  /** The claims that a slip explains; undefined if there are none, if it makes a right one wrong, or if it may be chance. */
  private explains({ change, lines }: Possibility): Pick<Found, 'names' | 'isWhole'> | undefined {
    const { trials, wrong } = this;
    const { evaluation } = this.formulas;
    if (!this.mayExplain({ change, lines })) return undefined;
    this.left -= this.costs.of(lines);
    const names: string[] = [];
    let isWhole = true;
    const goesOn = (target: string): boolean => {
      const trial = trials.get(target);
      if (!trial) return true;
      const values = { data: evaluation.now(target), room: trial.rounded.room };
      if (areClose(trial.claimed, values, trial.looser)) {
        if (wrong.has(target)) names.push(target);
        return true;
      }
      // Another mistake may have been made after it.
      isWhole = false;
      return names.length > 0 && wrong.has(target);
    };
    const isTried = evaluation.withChange(change, lines, () => names.length > 0 && this.isBeyondChance(names), goesOn);
    return isTried ? { names, isWhole } : undefined;
  }

  /** A cheaper test that comes first, on a part of the problem: whether the first claim that depends on it may fit. */
  mayExplain({ change, lines }: Pick<Possibility, 'change' | 'lines'>): boolean {
    const { evaluation } = this.formulas;
    const first = lines.find(({ target }) => this.trials.has(target))?.target ?? '';
    const part = this.parts.of(first);
    const trial = this.trials.get(first);
    if (!part || !trial) return true;
    const { claimed, rounded, looser } = trial;
    const isPossible = () => {
      const values = { data: evaluation.now(first), room: rounded.room };
      for (let i = 0; i < values.data.length; i++)
        if (!Number.isNaN(values.data[i]) && !isClose(claimed, i, values, i, looser)) return false;
      return true;
    };
    const needed = lines.slice(0, lines.findLastIndex(({ target }) => target === first) + 1);
    this.left -= this.costs.of(needed, part);
    return evaluation.withChange(change, needed, isPossible, undefined, part) ?? false;
  }

  /** Whether the claims are enough evidence for the slip. */
  private isBeyondChance(names: readonly string[]): boolean {
    const explained = names.map((name) => {
      const trial = this.trials.get(name);
      if (!trial) return 0;
      const { claimed, rounded, tolerance, looser, right } = trial;
      const value = tensor(right.shape, Float64Array.from(this.formulas.evaluation.now(name)));
      if (!fits(trial, value, tolerance) && !fits(trial, value, looser)) return -Infinity;
      return explainedByPlace(claimed, rounded, looser);
    });
    return isEvidence(explained.reduce((sum, count) => sum + count, 0));
  }
}

function diagnosisOf([first, ...others]: readonly Edit[], scope: Scope): Diagnosis {
  const likewise =
    others.length === 0 ? '' : ` The same applies to ${listed(others.map(({ line }) => formulaOf(line)))}.`;
  const where = scope === 'backward' ? ' Only the backward pass is affected.' : '';
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
