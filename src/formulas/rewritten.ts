/** Formulas that were written instead of those of a layer, and what follows from them. */
import { dependents } from './evaluate.js';
import { axesOfNode, lettersOf, namesIn, parse, withReferences, type Step } from './language.js';
import { axesOfName, usualLines, type Change, type Line, type Program } from './program.js';
import { sameSubscripts } from './text.js';

/** A change, with everything that is evaluated for it. */
export interface Rewritten {
  readonly change: Change;
  /** The lines to evaluate, in order: those that changed, and those that depend on them. */
  readonly lines: readonly Line[];
  /** Quantities whose axes changed, by their usual name: the name and axes with which they are computed. */
  readonly reshaped: ReadonlyMap<string, { readonly name: string; readonly axes: string }>;
}

/** What is evaluated again: everything, or one pass, where the other computes its own values. */
export type Pass = Line['part'] | 'both';

/**
 * @param formulas as in a program, without subscripts if a quantity keeps its axes. Those of quantities that the program
 *   lacks are left out
 * @returns undefined if none is left, or if the program lacks what they read
 * @throws {SyntaxError}
 */
export function rewritten(program: Program, formulas: readonly string[], pass: Pass = 'both'): Rewritten | undefined {
  const usual = usualLines(program);
  const letters = Object.keys(program.axes).join('');
  const others = new Map<Line, Line>();
  for (const formula of formulas) {
    const step = parse(formula, letters);
    if (!usual.some(({ target }) => target === step.target)) continue;
    const line = usualLineOf(step, usual);
    if (!line || !areDefined(program, step)) return undefined;
    others.set(line, withAxesOf(line, step));
  }
  if (others.size === 0 && formulas.length > 0) return undefined;
  return changedTo(program, usual, others, {}, pass);
}

/** The same for changed lines and given values. */
export function changedTo(
  program: Program,
  usual: readonly Line[],
  others: ReadonlyMap<Line, Line | undefined>,
  { given = {}, lengths }: Pick<Change, 'given' | 'lengths'>,
  pass: Pass = 'both',
): Rewritten {
  const within = usual.filter((line) => pass === 'both' || line.part === pass || others.has(line));
  const affected = dependents(within, [...others.keys()], Object.keys(given));
  const reshaped = new Map<string, { name: string; axes: string }>();
  const changed = new Map<Line, Line | undefined>(others);
  for (const line of affected) {
    const own = changed.has(line) ? changed.get(line) : line;
    if (!own) continue;
    const reads = [...namesIn(own.value)].some((name) => reshaped.has(name));
    const value = reads
      ? withReferences(own.value, (each) => ({ ...each, name: reshaped.get(each.name)?.name ?? each.name }))
      : own.value;
    if (own.at) {
      if (reads) changed.set(line, { ...own, value });
      continue;
    }
    const needed = axesOfNode(value, (name) => axesOfName(program, name, reshaped));
    const wanted =
      own.axes +
      lettersOf(needed)
        .filter((axis) => !own.axes.includes(axis))
        .join('');
    const right = axesOfName(program, line.target, new Map());
    if (wanted !== right && (others.has(line) || reads)) {
      const name = `${line.target}:${wanted}`;
      reshaped.set(line.target, { name, axes: wanted });
      changed.set(line, { ...own, target: name, axes: wanted, value });
    } else if (reads) changed.set(line, { ...own, value });
  }
  const change = { lines: changed, given, ...(lengths ? { lengths } : {}) };
  return { change, lines: affected, reshaped };
}

/** The line that a step replaces. */
function usualLineOf(step: Step, usual: readonly Line[]): Line | undefined {
  const writers = usual.filter(({ target }) => target === step.target);
  return writers.length < 2 ? writers[0] : writers.find((line) => sameSubscripts(line, step));
}

const readsOf = ({ value, at = [] }: Step): Set<string> => {
  const names = namesIn(value);
  for (const each of at) if ('table' in each) names.add(each.table);
  return names;
};

const areDefined = (program: Program, step: Step): boolean =>
  [...readsOf(step)].every((name) => name in program.given || program.lines.some(({ target }) => target === name));

/** A step that is written without subscripts has those of the usual line. */
function withAxesOf(line: Line, step: Step): Line {
  const isBare = step.axes === '' && !step.at;
  const place = isBare ? { axes: line.axes, ...(line.at ? { at: line.at } : {}) } : {};
  return { ...line, ...step, ...place, adds: isBare ? line.adds : step.adds };
}
