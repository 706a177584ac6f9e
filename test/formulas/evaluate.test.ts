import { describe, expect, it } from 'vitest';
import { dependents, Evaluation } from '../../src/formulas/evaluate.js';
import type { How, Node, Reduction, Reference } from '../../src/formulas/language.js';
import { programOf, type Change, type Line, type Program, type Source } from '../../src/formulas/program.js';

type Given = Source['given'];

const evaluated = (axes: Source['axes'], given: Given, forward: Source['forward'], rest: Partial<Source> = {}) =>
  new Evaluation(programOf({ axes, given, forward, backward: [], ...rest }));

/** The values of y, defined by the last formula. */
function valuesOf(axes: Source['axes'], given: Given, ...lines: string[]): number[] {
  return Array.from(evaluated(axes, given, lines).right('y'));
}

const lineOf = ({ lines }: Program, name: string): Line => {
  const found = lines.find(({ target }) => target === name);
  if (!found) throw new Error(`no line for ${name}`);
  return found;
};

/** A line with another formula, or never evaluated. */
const changing = (line: Line, value: Node | undefined): Change => ({
  lines: new Map([[line, value && { ...line, value }]]),
});

const N2 = { n: 2, i: 3 };
const X = { 'x ni': [1, 2, 3, 4, 5, 6] };

describe('a formula is evaluated', () => {
  it('over the axes of its target, in their order', () => {
    expect(valuesOf(N2, X, 'y[n,i] = x')).toEqual([1, 2, 3, 4, 5, 6]);
    expect(valuesOf(N2, X, 'y[i,n] = x')).toEqual([1, 4, 2, 5, 3, 6]);
  });

  it('broadcast over the axes that it lacks', () => {
    expect(valuesOf(N2, { ...X, 'b i': [10, 20, 30] }, 'y[n,i] = x + b')).toEqual([11, 22, 33, 14, 25, 36]);
    expect(valuesOf(N2, { ...X, 'a n': [1, 10] }, 'y[n,i] = a · x')).toEqual([1, 2, 3, 40, 50, 60]);
    expect(valuesOf(N2, { m: 4 }, 'y[n,i] = m')).toEqual([4, 4, 4, 4, 4, 4]);
    expect(valuesOf(N2, { 'a n': [1, 2], 'b i': [3, 4, 5] }, 'y[n,i] = a − b')).toEqual([-2, -3, -4, -1, -2, -3]);
  });

  it('with signs, divisions and powers', () => {
    const given = { 'a n': [2, 4], 'b n': [1, 8] };
    expect(valuesOf({ n: 2 }, given, 'y[n] = a − b − 1')).toEqual([0, -5]);
    expect(valuesOf({ n: 2 }, given, 'y[n] = −a')).toEqual([-2, -4]);
    expect(valuesOf({ n: 2 }, given, 'y[n] = a / b · 2')).toEqual([4, 1]);
    expect(valuesOf({ n: 2 }, given, 'y[n] = a² − a³')).toEqual([-4, -48]);
    expect(valuesOf({ n: 2 }, given, 'y[n] = b / a²')).toEqual([0.25, 0.5]);
    expect(valuesOf({ n: 2 }, given, 'y[n] = 1 / (a · b)')).toEqual([0.5, 1 / 32]);
  });

  it('with elementwise functions', () => {
    const given = { 'a n': [-1, 0, 4] };
    expect(valuesOf({ n: 3 }, given, 'y[n] = relu(a)')).toEqual([0, 0, 4]);
    expect(valuesOf({ n: 3 }, given, 'y[n] = positive(a)')).toEqual([0, 0, 1]);
    expect(valuesOf({ n: 3 }, given, 'y[n] = tanh(a)')).toEqual([-1, 0, 4].map(Math.tanh));
    expect(valuesOf({ n: 3 }, given, 'y[n] = exp(a)')).toEqual([-1, 0, 4].map(Math.exp));
    expect(valuesOf({ n: 3 }, given, 'y[n] = σ(a − 4)')[2]).toBe(0.5);
    expect(valuesOf({ n: 3 }, given, 'y[n] = √(a² + 9)')).toEqual([Math.sqrt(10), 3, 5]);
  });

  it.each(['σ', 'tanh', 'relu', 'positive', 'exp'])('with %s, which the language knows', (name) => {
    expect(valuesOf({ n: 1 }, { 'a n': [1] }, `y[n] = ${name}(a)`)).toEqual([expect.any(Number)]);
  });

  it('after the quantities that it reads', () => {
    expect(valuesOf(N2, X, 's[n] = Σ_i x', 'y[n] = s · s')).toEqual([36, 225]);
  });

  it('together with other formulas of the same quantity', () => {
    expect(valuesOf(N2, X, 'y[i] = Σ_n x', 'y[i] = 1')).toEqual([6, 8, 10]);
  });

  it('unless it reads what is not defined', () => {
    expect(() => valuesOf(N2, X, 'y[n] = z')).toThrow(new SyntaxError('z is not defined'));
    expect(() => valuesOf(N2, X, 'y[n] = x[n,at]')).toThrow(new SyntaxError('at is not defined'));
  });

  it('unless its target lacks one of its axes', () => {
    expect(() => valuesOf(N2, X, 'y[n] = x')).toThrow(new SyntaxError('y lacks axes of its formula'));
  });

  it('also over axes of size 1', () => {
    expect(valuesOf({ n: 1, i: 1 }, { 'x ni': [3], 'b i': [4] }, 'y[n] = Σ_i x · b')).toEqual([12]);
  });
});

describe('a sum', () => {
  it('goes over one axis, or several', () => {
    expect(valuesOf(N2, X, 'y[n] = Σ_i x')).toEqual([6, 15]);
    expect(valuesOf(N2, X, 'y[i] = Σ_n x')).toEqual([5, 7, 9]);
    expect(valuesOf(N2, X, 'y = Σ_ni x')).toEqual([21]);
  });

  it('goes over a product of any number of factors', () => {
    const given = { ...X, 'b i': [1, 10, 100], 'a n': [1, 2] };
    expect(valuesOf(N2, given, 'y[n] = Σ_i x · b')).toEqual([321, 654]);
    expect(valuesOf(N2, given, 'y[n] = Σ_i a · x · b')).toEqual([321, 1308]);
    expect(valuesOf(N2, given, 'y[i] = Σ_n a / 2 · x²')).toEqual([16.5, 27, 40.5]);
    expect(valuesOf(N2, given, 'y = Σ_n a · Σ_i x · b')).toEqual([1629]);
  });

  it('counts what lacks its axis once for each element', () => {
    expect(valuesOf(N2, { 'a n': [1, 2] }, 'y[n] = Σ_i a')).toEqual([3, 6]);
    expect(valuesOf(N2, {}, 'y = Σ_ni 1')).toEqual([6]);
  });
});

/** The values of `y[n] = Σ_i x` if its reduction is replaced. */
function reducedBy(change: Partial<Reduction>, x: number[] = X['x ni']): number[] | undefined {
  const evaluation = evaluated(N2, { 'x ni': x }, ['y[n] = Σ_i x']);
  const line = lineOf(evaluation.program, 'y');
  const node = { ...(line.value as Reduction), ...change };
  return evaluation.withChange(changing(line, node), [line], () => Array.from(evaluation.now('y')));
}

describe('a changed sum', () => {
  it('keeps the first or the last element', () => {
    expect(reducedBy({ how: 'first' })).toEqual([1, 4]);
    expect(reducedBy({ how: 'last' })).toEqual([3, 6]);
  });

  it('leaves elements out at the start and at the end', () => {
    expect(reducedBy({ skipped: [1, 0] })).toEqual([5, 11]);
    expect(reducedBy({ skipped: [0, 1] })).toEqual([3, 9]);
    expect(reducedBy({ skipped: [1, 1] })).toEqual([2, 5]);
    expect(reducedBy({ skipped: [2, 2] })).toEqual([0, 0]);
  });

  it('does not even read the elements that it leaves out', () => {
    expect(reducedBy({ skipped: [1, 0] }, [NaN, 2, 3, Infinity, 5, 6])).toEqual([5, 11]);
  });

  it('has no values if axes remain that its quantity lacks', () => {
    expect(reducedBy({ axes: 'n' })).toBeUndefined();
  });
});

describe('a cut', () => {
  const without = (evaluation: Evaluation, axis: string, skipped: readonly [number, number]) => {
    const line = lineOf(evaluation.program, 'y');
    const node: Node = { kind: 'cut', axis, skipped, body: line.value };
    return evaluation.withChange(changing(line, node), [line], () => Array.from(evaluation.now('y')));
  };
  const scan = { isDown: false, starts: {}, held: [] };

  it('leaves zeros at the start or at the end of an axis', () => {
    const evaluation = evaluated(N2, X, ['y[n,i] = x']);
    expect(without(evaluation, 'i', [1, 0])).toEqual([0, 2, 3, 0, 5, 6]);
    expect(without(evaluation, 'i', [0, 2])).toEqual([1, 0, 0, 4, 0, 0]);
    expect(without(evaluation, 'n', [0, 1])).toEqual([1, 2, 3, 0, 0, 0]);
  });

  it('leaves zeros where a value would not be finite', () => {
    expect(without(evaluated(N2, { 'x ni': [NaN, 2, 3, Infinity, 5, 6] }, ['y[n,i] = x']), 'i', [1, 0])).toEqual([
      ...[0, 2, 3, 0, 5, 6],
    ]);
  });

  it('goes over an axis that the formula lacks', () => {
    expect(without(evaluated(N2, { 'a n': [1, 2] }, ['y[n,i] = a']), 'i', [1, 0])).toEqual([0, 1, 1, 0, 2, 2]);
  });

  it('leaves zeros in the first or the last steps of a scan', () => {
    const given = { 'x nt': [1, 10, 2, 20, 3, 30], 'v ni': [4, 5, 6, 7] };
    const summing = evaluated({ n: 2, t: 3, i: 2 }, given, [{ scan, lines: ['y[n,t] = 2 · x'] }]);
    expect(without(summing, 't', [1, 0])).toEqual([0, 0, 4, 40, 6, 60]);
    expect(without(summing, 't', [0, 1])).toEqual([2, 20, 4, 40, 0, 0]);
  });

  it('leaves zeros in a step whose values are read with gaps', () => {
    const given = { 'x nt': [1, 10, 2, 20, 3, 30], 'v ni': [4, 5, 6, 7] };
    const evaluation = evaluated({ n: 2, t: 3, i: 2 }, given, [{ scan, lines: ['z[n,t] = 2 · x', 'y[n,t] = v[n,1]'] }]);
    const [z, y] = evaluation.program.lines;
    // Other values are where those of the cut will be.
    evaluation.withChange(changing(y, z.value), [y], () => 0);
    expect(without(evaluation, 't', [1, 0])).toEqual([0, 0, 5, 7, 5, 7]);
  });
});

describe('a choice of an element', () => {
  const chosenBy = (how: How, first: number[], second: number[] = [0, 0, 0]) =>
    reducedBy({ how }, [...first, ...second])?.[0];

  it('takes the largest, the smallest or the one of the largest magnitude', () => {
    expect(chosenBy('argmax', [1, 3, -5])).toBe(1);
    expect(chosenBy('argmin', [1, 3, -5])).toBe(2);
    expect(chosenBy('argmaxMagnitude', [1, 3, -5])).toBe(2);
  });

  it('takes the first of equals, or the last', () => {
    expect(chosenBy('argmax', [3, 3, 1])).toBe(0);
    expect(chosenBy('argmaxLast', [3, 3, 1])).toBe(1);
    expect(chosenBy('argmin', [3, 1, 1])).toBe(1);
    expect(chosenBy('argmaxMagnitude', [1, -3, 3])).toBe(1);
  });

  it('takes NaN for the largest, and the last of several NaN', () => {
    expect(chosenBy('argmax', [1, NaN, Infinity])).toBe(1);
    expect(chosenBy('argmax', [NaN, 1, NaN])).toBe(2);
    expect(chosenBy('argmaxLast', [NaN, 1, NaN])).toBe(2);
  });

  it('is made along one axis, for each element of the others', () => {
    expect(valuesOf(N2, X, 'y[i] = argmax_n x')).toEqual([1, 1, 1]);
    expect(valuesOf(N2, { 'x ni': [1, 9, 3, 7, 5, 6] }, 'y[n] = argmax_i x')).toEqual([1, 0]);
  });

  it('can be used as an index', () => {
    const lines = ['best[n] = argmax_i x', 'y[n] = x[n,best]'];
    expect(valuesOf(N2, { 'x ni': [1, 9, 3, 7, 5, 6] }, ...lines)).toEqual([9, 7]);
  });

  it('passes over what is outside, and is −1 if everything is', () => {
    const given = { 'x i': [-3, -1, -2], 'at nk': Int32Array.from([-1, 0, 2, -1, -1, -1]) };
    expect(valuesOf({ n: 2, k: 3, i: 3 }, given, 'y[n] = argmax_k x[at]')).toEqual([2, -1]);
  });
});

describe('a table', () => {
  const axes = { p: 3, k: 2, q: 4 };
  const at = Int32Array.from([-1, 0, 1, 2, 3, -1]);
  const given = { 'x q': [1, 2, 3, 4], 'at pk': at };

  it('says which elements are read, 0 outside', () => {
    expect(valuesOf(axes, given, 'y[p,k] = x[at]')).toEqual([0, 1, 2, 3, 4, 0]);
  });

  it('leaves what is outside out of a sum, even under an infinite weight', () => {
    const weighted = { ...given, 'w pk': [Infinity, 2, 3, 4, 5, NaN] };
    expect(valuesOf(axes, weighted, 'y[p] = Σ_k x[at] · w')).toEqual([2, 18, 20]);
    expect(valuesOf(axes, weighted, 'y[p] = Σ_k w · x[at]')).toEqual([2, 18, 20]);
    expect(valuesOf(axes, { ...weighted, 'v p': [1, 2, 3] }, 'y[p] = Σ_k v · w · x[at]')).toEqual([2, 36, 60]);
  });

  it('says which elements are added to', () => {
    const scattered = { 'x pk': [1, 2, 3, 4, 5, 6], 'at pk': Int32Array.from([-1, 0, 0, 2, 3, -1]) };
    const shapes = { shapes: { y: 'q' } };
    expect(Array.from(evaluated(axes, scattered, ['y[at] += x'], shapes).right('y'))).toEqual([5, 0, 4, 5]);
    expect(Array.from(evaluated(axes, scattered, ['y[at] = x'], shapes).right('y'))).toEqual([3, 0, 4, 5]);
  });

  it('can be of fewer axes than what it leads to', () => {
    const rows = { 'x np': [1, 2, 3, 4, 5, 6], 'turned p': Int32Array.from([2, 1, 0]) };
    expect(valuesOf({ n: 2, p: 3 }, rows, 'y[n,p] = x[n,turned]')).toEqual([3, 2, 1, 6, 5, 4]);
    expect(valuesOf({ n: 2, p: 3 }, { ...rows, last: 2 }, 'y[n] = x[n,last]')).toEqual([3, 6]);
  });
});

describe('a subscript', () => {
  it('can be an index', () => {
    expect(valuesOf(N2, X, 'y[n] = x[n,0]')).toEqual([1, 4]);
    expect(valuesOf(N2, X, 'y[i] = x[1,i]')).toEqual([4, 5, 6]);
  });

  it('can be another axis of the same size', () => {
    const square = { 'w jk': [1, 2, 3, 4] };
    expect(valuesOf({ j: 2, k: 2 }, square, 'y[j,k] = w[k,j]')).toEqual([1, 3, 2, 4]);
    expect(valuesOf({ j: 2, k: 2 }, square, 'y[j] = w[j,j]')).toEqual([1, 4]);
  });

  it('can count from the end', () => {
    const evaluation = evaluated(N2, X, ['y[n,i] = x']);
    const line = lineOf(evaluation.program, 'y');
    const turned: Reference = {
      ...{ kind: 'name', name: 'x' },
      at: [
        { axis: 'n', shift: 0 },
        { axis: 'i', shift: 0, reversed: true },
      ],
    };
    const values = evaluation.withChange(changing(line, turned), [line], () => Array.from(evaluation.now('y')));
    expect(values).toEqual([3, 2, 1, 6, 5, 4]);
  });
});

describe('a mask', () => {
  it('skips what it drops, even if it is not finite', () => {
    const given = { 'x n': [1, NaN, Infinity], 'mask n': Uint8Array.from([1, 0, 0]) };
    expect(valuesOf({ n: 3 }, given, 'y[n] = mask · x')).toEqual([1, 0, 0]);
    expect(valuesOf({ n: 3 }, { ...given, rate: 1 }, 'y[n] = mask · x / (1 − rate)')).toEqual([Infinity, 0, 0]);
  });
});

describe('a scan', () => {
  const axes = { n: 2, t: 3 };
  const x = { 'x nt': [1, 10, 2, 20, 3, 30] };
  const starts = { 'h0 n': [100, 200], 'g_last n': [1000, 2000] };
  // Steps come first in the values of what has them.
  const steps = (evaluation: Evaluation, name: string) => Array.from(evaluation.right(name));
  const up = { isDown: false, starts: { h: 'h0' }, held: ['h'] };
  const down = { isDown: true, starts: { g: 'g_last' }, held: ['g'] };
  const upwards = { scan: up, lines: ['z[n,t] = x', 'h[n,t] = h[n,t−1] + z'] };
  const downwards = { scan: down, lines: ['dz[n,t] = x', 'g[n,t] = g[n,t+1] + dz'] };

  it('goes up from the state before the first step', () => {
    expect(steps(evaluated(axes, { ...x, ...starts }, [upwards]), 'h')).toEqual([101, 210, 103, 230, 106, 260]);
  });

  it('goes down from the state after the last step', () => {
    expect(steps(evaluated(axes, { ...x, ...starts }, [downwards]), 'g')).toEqual([1006, 2060, 1005, 2050, 1003, 2030]);
  });

  it('starts from 0 if no state is given', () => {
    expect(steps(evaluated(axes, x, [upwards, downwards]), 'h')).toEqual([1, 10, 3, 30, 6, 60]);
    expect(steps(evaluated(axes, x, [upwards, downwards]), 'g')).toEqual([6, 60, 5, 50, 3, 30]);
  });

  it('holds its state where a sequence has ended, and has zeros there otherwise', () => {
    const lengths = { lengths: { axis: 'n', of: [3, 1] } };
    const evaluation = evaluated(axes, { ...x, ...starts }, [upwards, downwards], lengths);
    expect(steps(evaluation, 'h')).toEqual([101, 210, 103, 210, 106, 210]);
    expect(steps(evaluation, 'z')).toEqual([1, 10, 2, 0, 3, 0]);
    expect(steps(evaluation, 'g')).toEqual([1006, 2010, 1005, 2000, 1003, 2000]);
    expect(steps(evaluation, 'dz')).toEqual([1, 10, 2, 0, 3, 0]);
  });

  it('returns its first state for a sequence of no steps', () => {
    const lengths = { lengths: { axis: 'n', of: [0, 0] } };
    const lines = [upwards, downwards, 'h_n[n] = h[n,last]', 'dh0[n] = g[n,0]'];
    const evaluation = evaluated(axes, { ...x, ...starts, last: 2 }, lines, lengths);
    expect(Array.from(evaluation.right('h_n'))).toEqual([100, 200]);
    expect(Array.from(evaluation.right('dh0'))).toEqual([1000, 2000]);
  });

  it('can be read afterwards, one step before or after too', () => {
    const lines = [upwards, 'before[n] = Σ_t h[n,t−1]', 'all[n] = Σ_t h', 'end[n] = h[n,last]'];
    const evaluation = evaluated(axes, { ...x, ...starts, last: 2 }, lines);
    expect(Array.from(evaluation.right('before'))).toEqual([100 + 101 + 103, 200 + 210 + 230]);
    expect(Array.from(evaluation.right('all'))).toEqual([310, 700]);
    expect(Array.from(evaluation.right('end'))).toEqual([106, 260]);
  });
});

describe('a change', () => {
  const scan = { isDown: false, starts: { h: 'h0' }, held: ['h'] };
  const source: Source = {
    axes: { n: 2, t: 3, k: 2 },
    given: {
      ...{ 'x nt': [1, 10, 2, 20, 3, 30], 'h0 n': [100, 200], 'w k': [2, 3] },
      ...{ 'at k': Int32Array.from([1, -1]), last: 2 },
    },
    shapes: { dx: 'n' },
    forward: [
      'u[n] = Σ_t x',
      { scan, lines: ['z[n,t] = 2 · x', 'h[n,t] = h[n,t−1] + z'] },
      'h_n[n] = h[n,last]',
      'out[n] = h_n − u',
    ],
    backward: ['dx[at] += w', 'dw[k] = w / 2'],
  };
  const NAMES = ['u', 'z', 'h', 'h_n', 'out', 'dx', 'dw', 'x', 'h0', 'w'];
  const valuesNow = (evaluation: Evaluation) => NAMES.map((name) => [name, Array.from(evaluation.now(name))] as const);
  const create = () => {
    const evaluation = new Evaluation(programOf(source));
    const { lines } = evaluation.program;
    const { value } = lineOf(programOf({ ...source, forward: ['y = 7'], backward: [] }), 'y');
    const from = (name: string) => dependents(lines, [lineOf(evaluation.program, name)]);
    return { evaluation, lines, seven: value, from, line: (name: string) => lineOf(evaluation.program, name) };
  };

  it('reaches everything that depends on it, and nothing else', () => {
    const { evaluation, seven, from, line } = create();
    const changed = evaluation.withChange(changing(line('z'), seven), from('z'), () =>
      Object.fromEntries(valuesNow(evaluation)),
    );
    expect(changed).toMatchObject({
      ...{ u: [6, 60], z: [7, 7, 7, 7, 7, 7], h: [107, 207, 114, 214, 121, 221] },
      ...{ h_n: [121, 221], out: [115, 161], dx: [0, 2], dw: [1, 1.5] },
    });
  });

  it('can be a line that is never evaluated', () => {
    const { evaluation, from, line } = create();
    const never = changing(line('z'), undefined);
    expect(evaluation.withChange(never, from('z'), () => Array.from(evaluation.now('h_n')))).toEqual([100, 200]);
  });

  it('can be other values of what is given', () => {
    const { evaluation, lines } = create();
    const change = { given: { h0: [0, 1], w: [4, 6] } };
    const values = evaluation.withChange(change, dependents(lines, [], ['h0', 'w']), () =>
      ['h0', 'h_n', 'dx', 'dw', 'u'].map((name) => Array.from(evaluation.now(name))),
    );
    expect(values).toEqual([
      [0, 1],
      [12, 121],
      [0, 4],
      [2, 3],
      [6, 60],
    ]);
  });

  it('can be a line that writes elsewhere', () => {
    const { evaluation, line } = create();
    const dx = line('dx');
    const assigned = { lines: new Map([[dx, { ...dx, at: [{ index: 0 }], adds: false }]]) };
    expect(evaluation.withChange(assigned, [dx], () => Array.from(evaluation.now('dx')))).toEqual([3, 0]);
  });

  it('can be other lengths of the sequences', () => {
    const evaluation = new Evaluation(programOf({ ...source, lengths: { axis: 'n', of: [1, 3] } }));
    const { lines } = evaluation.program;
    const lastStates = () => Array.from(evaluation.now('h_n'));
    expect(lastStates()).toEqual([102, 320]);
    expect(evaluation.withChange({ lengths: [3, 2] }, lines, lastStates)).toEqual([112, 260]);
    expect(evaluation.withChange({}, lines, lastStates)).toEqual([102, 320]);
  });

  it('leaves nothing behind, whatever comes of it', () => {
    const { evaluation, lines, seven, from, line } = create();
    const before = valuesNow(evaluation);
    const same = () => {
      expect(valuesNow(evaluation)).toEqual(before);
      expect(NAMES.map((name) => [name, Array.from(evaluation.right(name))])).toEqual(before);
    };
    for (const each of lines) {
      for (const node of [seven, undefined]) evaluation.withChange(changing(each, node), lines, () => 0);
      same();
    }
    evaluation.withChange({ given: { x: [0, 0, 0, 0, 0, 0] } }, lines, () => 0);
    same();
    const change = changing(line('z'), seven);
    const giveUp = () => {
      throw new Error('given up');
    };
    expect(() => evaluation.withChange<number>(change, from('z'), giveUp)).toThrow('given up');
    same();
    evaluation.withChange(
      change,
      from('z'),
      () => 0,
      () => false,
    );
    same();
    const unknown: Node = { kind: 'name', name: 'nothing' };
    expect(() => evaluation.withChange(changing(line('u'), unknown), from('u'), () => 0)).toThrow(
      new SyntaxError('nothing is not defined'),
    );
    same();
  });

  it('does not change the right values meanwhile', () => {
    const { evaluation, seven, from, line } = create();
    const right = evaluation.withChange(changing(line('z'), seven), from('z'), () =>
      Array.from(evaluation.right('h_n')),
    );
    expect(right).toEqual([112, 320]);
  });

  it('has the same result after other changes', () => {
    const { evaluation, lines, seven, line } = create();
    const once = () => evaluation.withChange(changing(line('u'), seven), lines, () => valuesNow(evaluation));
    const first = once();
    for (const each of lines) evaluation.withChange(changing(each, seven), lines, () => 0);
    expect(once()).toEqual(first);
  });

  it('is undefined, and nothing is visited, if the formula has axes that its quantity lacks', () => {
    const { evaluation, lines, line } = create();
    let visits = 0;
    const x: Node = { kind: 'name', name: 'x' };
    expect(evaluation.withChange(changing(line('u'), x), lines, () => ++visits)).toBeUndefined();
    expect(visits).toBe(0);
  });

  it('is evaluated as long as each complete quantity agrees', () => {
    const { evaluation, lines } = create();
    const seen: string[] = [];
    let visits = 0;
    const until = (name: string) =>
      evaluation.withChange(
        {},
        lines,
        () => ++visits,
        (target) => {
          seen.push(target);
          return target !== name;
        },
      );
    expect(until('out')).toBeUndefined();
    expect(seen).toEqual(['u', 'h_n', 'out']);
    expect(visits).toBe(0);
    expect(until('')).toBe(1);
  });

  it('shows a quantity of several lines when all of them are evaluated', () => {
    const evaluation = evaluated(N2, X, ['y[i] = Σ_n x', 'y[i] = 1', 'z[i] = y']);
    const seen: [string, number[]][] = [];
    evaluation.withChange(
      {},
      evaluation.program.lines,
      () => 0,
      (target) => {
        seen.push([target, Array.from(evaluation.now(target))]);
        return true;
      },
    );
    expect(seen).toEqual([
      ['y', [6, 8, 10]],
      ['z', [6, 8, 10]],
    ]);
  });
});

describe('the dependents of a line', () => {
  const scan = { isDown: false, starts: { h: 'h0' }, held: ['h'] };
  const { lines } = programOf({
    axes: { n: 2, t: 2, k: 2 },
    given: { 'x nt': [1, 2, 3, 4], 'h0 n': [1, 2], 'at k': Int32Array.from([0, 1]) },
    shapes: { y: 'n' },
    forward: ['a[n] = Σ_t x', { scan, lines: ['h[n,t] = h[n,t−1] + s', 's[n,t] = x + h'] }, 'b[n] = a + 1'],
    backward: ['y[at] += 1', 'y[n] = a', 'e[n] = Σ_t s'],
  });
  const namesFrom = (changed: string[], names: string[] = []) =>
    dependents(
      lines,
      lines.filter(({ target }) => changed.includes(target)),
      names,
    ).map(({ target }) => target);

  it('are those that read it, directly or not, in order', () => {
    expect(namesFrom(['b'])).toEqual(['b']);
    expect(namesFrom(['s'])).toEqual(['h', 's', 'e']);
  });

  it('include all lines of a quantity that one of them changes', () => {
    expect(namesFrom(['a'])).toEqual(['a', 'b', 'y', 'y']);
  });

  it('include what reads given values, as a table or as a first state too', () => {
    expect(namesFrom([], ['at'])).toEqual(['y', 'y']);
    expect(namesFrom([], ['h0'])).toEqual(['h', 's', 'e']);
    expect(namesFrom([], ['x'])).toEqual(['a', 'h', 's', 'b', 'y', 'y', 'e']);
    expect(namesFrom([])).toEqual([]);
  });
});
