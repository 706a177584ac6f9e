/** What may have been written instead of the formulas of a program: one edit, or the same edit in several formulas. */
import { dependents } from './evaluate.js';
import { editsOf, type Edit } from './edits.js';
import { namesIn } from './language.js';
import type { Line, Program } from './program.js';
import { textOf } from './text.js';

/** Where a slip has an effect: everywhere, or only in one pass if each computes its own values. */
export type Scope = 'all' | 'forward' | 'backward';

/** Edits that one slip makes together. */
export interface Candidate {
  readonly edits: readonly Edit[];
  readonly scope: Scope;
  /** What depends on them, in order. */
  readonly lines: readonly Line[];
  readonly targets: ReadonlySet<string>;
  /** Smaller is more usual. */
  readonly rank: number;
  readonly style: string | undefined;
}

/** Programs of the same lines whose candidates are kept. */
const MOST_KEPT = 8;

const kept = new WeakMap<readonly Line[], Map<string, readonly Candidate[]>>();

/**
 * The candidates of a program, most usual first. They depend only on its lines, its sizes and the axes of given values.
 *
 * @param isUsual whether those of the usual formulas are asked for, or those of other ways to compute the same
 */
export function candidatesOf(program: Program, isUsual: boolean): readonly Candidate[] {
  const bySizes = kept.get(program.lines) ?? new Map<string, readonly Candidate[]>();
  kept.set(program.lines, bySizes);
  const given = Object.entries(program.given).map(([name, { axes, data }]) => [name, axes, data instanceof Int32Array]);
  const key = JSON.stringify([isUsual, program.axes, given]);
  const known = bySizes.get(key);
  if (known) return known;
  if (bySizes.size >= MOST_KEPT) bySizes.clear();
  const styles = isUsual ? [undefined] : [...new Set(program.lines.flatMap(({ style }) => style ?? []))];
  const found = styles.flatMap((style) => ofStyle(program, style)).sort((a, b) => a.rank - b.rank);
  bySizes.set(key, found);
  return found;
}

function ofStyle(program: Program, style: string | undefined): Candidate[] {
  const lines = linesIn(program, style);
  const scopes = new Scopes(lines);
  // A style is tried only where it differs from the usual formulas: where a line of the style is affected.
  const edited = lines.filter((each) => scopes.by([each], 'all').lines.some((line) => line.style === style));
  const edits = editsOf(program, lines, edited);
  return [...edits.map((edit) => [edit]), ...alike(edits)].flatMap((group) => scoped(group, scopes, style));
}

function scoped(edits: readonly Edit[], affected: Scopes, style: string | undefined): Candidate[] {
  const changed = edits.map(({ line }) => line);
  const scopes: readonly Scope[] = changed[0].part === 'backward' ? ['all'] : ['all', 'forward', 'backward'];
  const everywhere = affected.by(changed, 'all');
  const rank = Math.max(...edits.map((edit) => edit.rank));
  return scopes.flatMap((scope) => {
    const { lines, targets } = affected.by(changed, scope);
    if (scope !== 'all' && lines.length === everywhere.lines.length) return [];
    if (style !== undefined && !lines.some((line) => line.style === style)) return [];
    return { edits, scope, lines, targets, style, rank: rank + distanceOf(scope, lines, edits.length) };
  });
}

/** What depends on changed lines. */
export class Scopes {
  private readonly known = new Map<string, { lines: readonly Line[]; targets: ReadonlySet<string> }>();
  private readonly numbers: ReadonlyMap<Line, number>;

  constructor(private readonly lines: readonly Line[]) {
    this.numbers = new Map(lines.map((line, i) => [line, i]));
  }

  by(changed: readonly Line[], scope: Scope): { lines: readonly Line[]; targets: ReadonlySet<string> } {
    const key = `${scope} ${changed.map((line) => this.numbers.get(line)).join()}`;
    const known = this.known.get(key);
    if (known) return known;
    const inScope = this.lines.filter((line) => scope === 'all' || line.part === scope || changed.includes(line));
    const lines = dependents(inScope, changed);
    const found = { lines, targets: new Set(lines.map(({ target }) => target)) };
    this.known.set(key, found);
    return found;
  }
}

/** The lines of a program in one style: its lines replace the usual ones. */
export function linesIn({ lines }: Program, style: string | undefined): Line[] {
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

/** A slip in a value that one pass computes again for itself is less usual. */
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
    const key = edit.group ?? `${edit.line.part} ${edit.kind} ${isNamed ? '' : shapeOf(edit)} ${what}`;
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
    const passes = ['forward', 'backward'].map((part) => all.filter(({ line }) => line.part === part));
    return unique([all, ...passes, parameters, ...same]).filter(({ length }) => length > 1);
  });
}

const shapeOf = ({ part }: Edit) => textOf(part).replaceAll(NAME, '·');

export function reads({ value, at }: Line, name: string): boolean {
  return namesIn(value).has(name) || (at ?? []).some((each) => 'table' in each && each.table === name);
}
