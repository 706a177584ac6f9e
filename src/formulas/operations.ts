/** Compiles the nodes of formulas to operations on values. */
import { FUNCTIONS } from './functions.js';
import {
  axesOfNode,
  lettersOf,
  type Call,
  type Cut,
  type Node,
  type Product,
  type Reduction,
  type Reference,
  type Subscript,
} from './language.js';
import { add, addGathered, addProduct, addProductWhere, addScattered, nestOf, type Nest } from './loops.js';
import type { Line, Program } from './program.js';
import type { Quantity, Values } from './values.js';

/** A compiled node: computes its values and returns the offset of the first. */
interface Operation {
  readonly axes: string;
  readonly strides: readonly number[];
  readonly run: () => number;
  /** Offset of the marks of elements that are there, with the same strides, or −1 if all are. */
  readonly there?: () => number;
  /** Instead of `run`: where the values lie. */
  readonly indirect?: Places;
}

/** Values over axes. */
interface Table {
  readonly axes: string;
  readonly strides: readonly number[];
  readonly run: () => number;
}

/** What a subscript adds to a place. */
interface Part {
  readonly stride: number;
  readonly from: Operation | undefined;
  readonly each: Subscript;
}

/** Places in a quantity: the sum of two values, so that not all axes are in one table; −1 is outside. */
interface Places extends Table {
  readonly second: Table;
  /** Where place 0 is. */
  readonly region: () => number;
  /** The axes that a place does not depend on, except that each index adds as many elements to it. */
  readonly strided: Readonly<Record<string, number>>;
}

/** All axes of the elements in places. */
const allAxes = ({ axes, second, strided }: Places) => union(axes, second.axes, Object.keys(strided).join(''));

const inPlace = (): number => {
  throw new Error('the values lie elsewhere');
};

const union = (...lists: readonly string[]) => [...new Set(lists.join(''))].join('');

function strideOf({ axes, strides }: Pick<Operation, 'axes' | 'strides'>, axis: string): number {
  const at = axes.indexOf(axis);
  return at < 0 ? 0 : strides[at];
}

const strideIn = (each: Subscript) => ('axis' in each ? each.stride : undefined);

export class Compiler {
  /** Those of the formulas themselves: a change compiles only what it changed, and what that is part of. */
  private readonly known = new Map<Node, Operation>();
  private keeps = false;

  /** Sizes of the axes, as far as they are computed. */
  private readonly sizes: Readonly<Record<string, number>>;

  /**
   * @param limits axes of which only the first elements are computed; what would depend on the others is NaN
   */
  constructor(
    private readonly program: Program,
    private readonly values: Values,
    private readonly limits: Readonly<Record<string, number>> = {},
  ) {
    this.sizes = { ...program.axes, ...limits };
  }

  private sizeOfAxes(axes: string): number {
    let size = 1;
    for (const axis of axes) size *= this.sizes[axis];
    return size;
  }

  private denseStrides(axes: string): number[] {
    const strides = Array<number>(axes.length);
    for (let i = axes.length - 1, stride = 1; i >= 0; stride *= this.sizes[axes[i--]]) strides[i] = stride;
    return strides;
  }

  private isLimited(axes: string): boolean {
    return lettersOf(axes).some((axis) => axis in this.limits);
  }

  /** What cannot be computed from a part of the elements. */
  private unknown(): Operation {
    const at = this.values.allocate(1);
    return { axes: '', strides: [], run: () => ((this.values.data[at] = NaN), at) };
  }

  /** The same as {@link storeOf}, for a line whose parts will be part of changed lines. */
  keptStoreOf(line: Line): (() => void) | undefined {
    this.keeps = true;
    try {
      return this.storeOf(line);
    } finally {
      this.keeps = false;
    }
  }

  /** @returns undefined if the value has axes that the target lacks */
  storeOf(line: Line): (() => void) | undefined {
    const { target, scan } = line;
    const bound = scan?.axis ?? '';
    const quantity = this.values.quantity(target);
    if (line.at) {
      if (this.sumsOverLimited(line)) return this.spoil(quantity);
      return this.productScatterOf(line) ?? this.scatterOf(line, this.compile(line.value, bound));
    }
    const value = this.compile(line.value, bound);
    const axes = quantity.axes.replace(bound || '-', '');
    if (lettersOf(value.axes).some((axis) => !axes.includes(axis))) return undefined;
    const nest = nestOf(
      lettersOf(axes).map((axis) => this.sizes[axis]),
      lettersOf(axes).map((axis) => quantity.strides[quantity.axes.indexOf(axis)]),
      lettersOf(axes).map((axis) => strideOf(value, axis)),
    );
    const { id, lead } = quantity;
    return () => {
      const from = value.run();
      add(this.values.data, nest, this.values.where[id] + (bound ? lead * (1 + this.values.step) : lead), from, 1);
    };
  }

  /** Whether values that lie in the same place come from elements that are not computed. */
  private sumsOverLimited({ at = [], value }: Line): boolean {
    const kept = at.flatMap((each) => ('axis' in each ? [each.axis] : []));
    const axes = at.flatMap((each) => ('table' in each ? lettersOf(this.definedAxes(each.table)) : []));
    const all = [...axes, ...lettersOf(axesOfNode(value, (name) => this.definedAxes(name)))];
    return all.some((axis) => axis in this.limits && !kept.includes(axis));
  }

  private spoil({ id, size, lead }: Quantity): () => void {
    return () => {
      const region = this.values.where[id];
      this.values.data.fill(NaN, region, region + size + 2 * lead);
    };
  }

  /** Adds each product to its place, if the value is one and all of its elements are there. */
  private productScatterOf({ target: name, at = [], adds, scan, value }: Line): (() => void) | undefined {
    if (!adds || value.kind !== 'product' || value.factors.length < 2) return undefined;
    const bound = scan?.axis ?? '';
    const quantity = this.values.quantity(name);
    const places = this.placesOf(quantity, at, bound, this.definedAxes(name));
    const operands = this.operandsOf(value, bound);
    if (operands.some(({ there, indirect }) => there ?? indirect)) return undefined;
    const [first, ...rest] = operands;
    const last = rest[rest.length - 1];
    const before = rest.slice(0, -1).reduce((x, y) => this.multiplied(x, y, '', {}), first);
    const axes = this.values.sorted(union(before.axes, last.axes, allAxes(places)));
    const out = lettersOf(axes).map((axis) => strideOf(places, axis));
    const nest = this.nest(axes, out, before, last, undefined, places);
    return () => {
      const [a, b] = [before.run(), last.run()];
      const p = places.run();
      addScattered(this.values.data, nest, p, places.second.run(), a, b, places.region());
    };
  }

  private operandsOf({ factors }: Product, bound: string): Operation[] {
    return factors.map(({ node, power }) => {
      return power === 1 ? this.compileInPlace(node, bound) : this.mapped(this.compile(node, bound), raised(power));
    });
  }

  private scatterOf({ target: name, at = [], adds, scan }: Line, value: Operation): () => void {
    const bound = scan?.axis ?? '';
    const quantity = this.values.quantity(name);
    const places = this.placesOf(quantity, at, bound, this.definedAxes(name));
    const axes = this.values.sorted(union(value.axes, allAxes(places)));
    const sizes = lettersOf(axes).map((axis) => this.sizes[axis]);
    const count = sizes.reduce((product, size) => product * size, 1);
    const strides = lettersOf(axes).map((axis) => strideOf(value, axis));
    const steps = lettersOf(axes).map((axis) => strideOf(places, axis));
    const dense = this.denseStrides(axes);
    const others = lettersOf(axes).map((axis) => strideOf(places.second, axis));
    const moves = lettersOf(axes).map((axis) => places.strided[axis] ?? 0);
    const isDense = dense.every(
      (stride, i) =>
        sizes[i] === 1 || (stride === strides[i] && stride === steps[i] && moves[i] === 0 && others[i] === 0),
    );
    const index = new Array<number>(axes.length);
    return () => {
      let [x, p, q] = [value.run(), places.run(), places.second.run()];
      const there = value.there?.() ?? -1;
      const marks = there - x;
      let target = places.region();
      const { data } = this.values;
      index.fill(0);
      for (let i = 0; i < count; i++) {
        const place = data[p] < 0 || data[q] < 0 ? -1 : data[p] + data[q];
        if (place >= 0 && (there < 0 || data[x + marks] !== 0)) {
          if (adds) data[target + place] += data[x];
          else data[target + place] = data[x];
        }
        if (isDense) {
          x++;
          p++;
          continue;
        }
        for (let axis = axes.length - 1; axis >= 0; axis--) {
          x += strides[axis];
          p += steps[axis];
          q += others[axis];
          target += moves[axis];
          if (++index[axis] < sizes[axis]) break;
          x -= strides[axis] * sizes[axis];
          p -= steps[axis] * sizes[axis];
          q -= others[axis] * sizes[axis];
          target -= moves[axis] * sizes[axis];
          index[axis] = 0;
        }
      }
    };
  }

  private compile(node: Node, bound: string): Operation {
    return this.direct(this.compileInPlace(node, bound));
  }

  /** Values that lie elsewhere stay there. */
  private compileInPlace(node: Node, bound: string): Operation {
    const known = this.known.get(node);
    if (known) return known;
    const made = this.compiled(node, bound);
    if (this.keeps) this.known.set(node, made);
    return made;
  }

  private compiled(node: Node, bound: string): Operation {
    switch (node.kind) {
      case 'number': {
        const at = this.values.allocate(1);
        return { axes: '', strides: [], run: () => ((this.values.data[at] = node.value), at) };
      }
      case 'name':
        return this.reference(node, bound);
      case 'sum': {
        const terms = node.terms.map((term) => ({ sign: term.sign, from: this.compile(term.node, bound) }));
        const axes = this.values.sorted(union(...terms.map(({ from }) => from.axes)));
        const result = this.result(axes);
        const parts = terms.map(({ sign, from }) => ({ sign, from, nest: this.nest(axes, result.strides, from) }));
        return {
          ...result,
          run: () => {
            const at = result.clear();
            for (const { sign, from, nest } of parts) add(this.values.data, nest, at, from.run(), sign);
            return at;
          },
        };
      }
      case 'product':
        return this.product(node, bound, '');
      case 'call':
        return this.called(node, bound);
      case 'reduce':
        return this.reduction(node, bound);
      case 'cut':
        return this.cut(node, bound);
    }
  }

  /** Room for values over axes. */
  private result(axes: string) {
    const size = this.sizeOfAxes(axes);
    const at = this.values.allocate(size);
    return {
      at,
      axes,
      strides: this.denseStrides(axes),
      clear: () => {
        this.values.data.fill(0, at, at + size);
        return at;
      },
    };
  }

  private nest(
    axes: string,
    out: readonly number[],
    x: Pick<Operation, 'axes' | 'strides'>,
    y?: Operation,
    sizes?: readonly number[],
    places?: Pick<Places, 'strided' | 'second'>,
  ): Nest {
    return nestOf(
      sizes ?? lettersOf(axes).map((axis) => this.sizes[axis]),
      out,
      lettersOf(axes).map((axis) => strideOf(x, axis)),
      y && lettersOf(axes).map((axis) => strideOf(y, axis)),
      places && lettersOf(axes).map((axis) => places.strided[axis] ?? 0),
      places && lettersOf(axes).map((axis) => strideOf(places.second, axis)),
    );
  }

  private mapped(from: Operation, of: (value: number) => number) {
    const result = this.result(from.axes);
    const size = this.sizeOfAxes(from.axes);
    const nest = this.nest(from.axes, result.strides, from);
    return {
      axes: result.axes,
      strides: result.strides,
      at: () => result.at,
      ...(from.there ? { there: from.there } : {}),
      run: (): number => {
        const at = result.clear();
        add(this.values.data, nest, at, from.run(), 1);
        const { data } = this.values;
        for (let i = at; i < at + size; i++) data[i] = of(data[i]);
        return at;
      },
    };
  }

  private called({ name, argument }: Call, bound: string): Operation {
    const result = this.mapped(this.compile(argument, bound), FUNCTIONS[name]);
    // A derivative of 0 stops even an infinite gradient.
    return name === 'positive' ? { ...result, there: result.at } : result;
  }

  private reference({ name, at }: Reference, bound: string): Operation {
    const { id, axes, strides, lead } = this.values.quantity(name);
    const subscripts = at ?? lettersOf(axes).map((axis): Subscript => ({ axis, shift: 0 }));
    if (subscripts.some((each) => 'table' in each)) return this.gather(name, subscripts, bound);
    // Subscripts are in the order of the definition, which time does not lead.
    const defined = at ? this.definedAxes(name) : axes;
    const free: Record<string, number> = {};
    let [shift, ofStep] = [lead, 0];
    for (const [i, each] of subscripts.entries()) {
      const stride = strideIn(each) ?? strides[axes.indexOf(defined[i])];
      if ('index' in each) shift += each.index * stride;
      else if ('axis' in each) {
        shift += each.shift * stride;
        if (each.axis === bound) ofStep += stride;
        else if (each.reversed) {
          shift += (this.program.axes[each.axis] - 1) * stride;
          free[each.axis] = (free[each.axis] ?? 0) - stride;
        } else free[each.axis] = (free[each.axis] ?? 0) + stride;
      }
    }
    const own = this.values.sorted(Object.keys(free).join(''));
    const run = () => this.values.where[id] + shift + ofStep * this.values.step;
    const isMask = name in this.program.given && this.program.given[name].data instanceof Uint8Array;
    return { axes: own, strides: lettersOf(own).map((axis) => free[axis]), run, ...(isMask ? { there: run } : {}) };
  }

  private definedAxes(name: string): string {
    const { shapes, given, lines } = this.program;
    if (name in shapes) return shapes[name];
    if (name in given) return given[name].axes;
    const line = lines.find(({ target, axes }) => target === name && axes !== '');
    return line?.axes ?? this.values.quantity(name).axes;
  }

  /**
   * The places in a quantity that subscripts lead to: −1 is outside.
   */
  private placesOf(quantity: Quantity, subscripts: readonly Subscript[], bound: string, defined: string): Places {
    let ofStep = 0;
    const strided: Record<string, number> = {};
    const parts = subscripts.flatMap((each, i): Part[] => {
      const stride = strideIn(each) ?? quantity.strides[quantity.axes.indexOf(defined[i])];
      if ('axis' in each && each.axis === bound) {
        ofStep += stride;
        return [{ stride, from: undefined, each: { index: each.shift } }];
      }
      if ('axis' in each && each.shift === 0 && each.reversed !== true) {
        strided[each.axis] = (strided[each.axis] ?? 0) + stride;
        return [];
      }
      const from = 'table' in each ? this.reference({ kind: 'name', name: each.table }, bound) : undefined;
      return [{ stride, from, each }];
    });
    // Parts that share no axis with the first table go into a second one, which keeps both small.
    const axesOf = ({ from, each }: Part) => from?.axes ?? ('axis' in each ? each.axis : '');
    let together = parts.slice(0, 1).map(axesOf).join('');
    for (let before = ''; before !== together;) {
      before = together;
      const sharing = parts.filter((part) => lettersOf(axesOf(part)).some((axis) => before.includes(axis)));
      together = union(before, ...sharing.map(axesOf));
    }
    const isFirst = (part: Part) =>
      axesOf(part) === '' || lettersOf(axesOf(part)).some((axis) => together.includes(axis));
    const first = this.tableOf(parts.filter(isFirst), quantity.lead, bound);
    return {
      ...first,
      second: this.tableOf(
        parts.filter((part) => !isFirst(part)),
        0,
        bound,
      ),
      strided,
      region: () => this.values.where[quantity.id] + ofStep * this.values.step,
    };
  }

  /** The sum of the parts of a place, or −1. It is computed once while the tables of indices are the right ones. */
  private tableOf(parts: readonly Part[], start: number, bound: string): Table {
    const tables = parts.flatMap(({ each }) => ('table' in each ? [this.values.quantity(each.table)] : []));
    const isFixed = tables.every(({ name, axes }) => name in this.program.given && !(bound && axes.includes(bound)));
    const axes = this.values.sorted(
      union(...parts.map(({ from, each }) => from?.axes ?? ('axis' in each ? each.axis : ''))),
    );
    const sizes = lettersOf(axes).map((axis) => this.sizes[axis]);
    const result = this.result(axes);
    const count = this.sizeOfAxes(axes);
    const index = new Array<number>(axes.length);
    const steps = parts.map(({ from }) => from && lettersOf(axes).map((axis) => strideOf(from, axis)));
    const own = parts.map(({ each }) => ('axis' in each ? axes.indexOf(each.axis) : -1));
    const mayLeave = parts.map(({ each }) => 'axis' in each && each.shift !== 0 && each.axis !== 't');
    const ends = parts.map(({ each }) => ('axis' in each ? this.program.axes[each.axis] : 0));
    let isKnown = false;
    const compute = (): number => {
      const at = result.clear();
      const bases = parts.map(({ from }) => from?.run() ?? 0);
      const { data } = this.values;
      index.fill(0);
      for (let i = 0; i < count; i++) {
        let place = start;
        for (let k = 0; k < parts.length && place >= 0; k++) {
          const { each, stride } = parts[k];
          const strides = steps[k];
          let value: number;
          if (strides) {
            let q = bases[k];
            for (let axis = 0; axis < strides.length; axis++) q += strides[axis] * index[axis];
            value = data[q];
          } else if ('index' in each) value = each.index;
          else if ('axis' in each)
            value = (each.reversed ? this.program.axes[each.axis] - 1 - index[own[k]] : index[own[k]]) + each.shift;
          else value = 0;
          // Indices of a time step may be before the first: there is a slice for the start.
          const isOutside = strides ? !(value >= 0) : mayLeave[k] && (value < 0 || value >= ends[k]);
          place = isOutside ? -1 : place + value * stride;
        }
        data[at + i] = place;
        for (let axis = axes.length - 1; axis >= 0; axis--) {
          if (++index[axis] < sizes[axis]) break;
          index[axis] = 0;
        }
      }
      return at;
    };
    return {
      axes,
      strides: result.strides,
      run: (): number => {
        const areRight = isFixed && tables.every(({ id, right }) => this.values.where[id] === right);
        if (areRight && isKnown) return result.at;
        isKnown = areRight;
        return compute();
      },
    };
  }

  private gather(name: string, subscripts: readonly Subscript[], bound: string): Operation {
    const places = this.placesOf(this.values.quantity(name), subscripts, bound, this.definedAxes(name));
    const axes = this.values.sorted(allAxes(places));
    return { axes, strides: this.denseStrides(axes), indirect: places, run: inPlace };
  }

  /** Copies the values if they lie elsewhere, and marks those that are there. */
  private direct(from: Operation): Operation {
    const { indirect: places, axes } = from;
    if (!places) return from;
    const values = this.result(axes);
    const size = this.sizeOfAxes(axes);
    const marks = this.values.allocate(size);
    const sizes = lettersOf(axes).map((axis) => this.sizes[axis]);
    const steps = lettersOf(axes).map((axis) => strideOf(places, axis));
    const others = lettersOf(axes).map((axis) => strideOf(places.second, axis));
    const moves = lettersOf(axes).map((axis) => places.strided[axis] ?? 0);
    const index = new Array<number>(axes.length);
    let missing = false;
    return {
      axes,
      strides: values.strides,
      run: () => {
        let [p, q] = [places.run(), places.second.run()];
        let region = places.region();
        const at = values.clear();
        const { data } = this.values;
        missing = false;
        index.fill(0);
        for (let i = 0; i < size; i++) {
          const isThere = data[p] >= 0 && data[q] >= 0;
          data[marks + i] = isThere ? 1 : 0;
          if (isThere) data[at + i] = data[region + data[p] + data[q]];
          else missing = true;
          for (let axis = axes.length - 1; axis >= 0; axis--) {
            p += steps[axis];
            q += others[axis];
            region += moves[axis];
            if (++index[axis] < sizes[axis]) break;
            p -= steps[axis] * sizes[axis];
            q -= others[axis] * sizes[axis];
            region -= moves[axis] * sizes[axis];
            index[axis] = 0;
          }
        }
        return at;
      },
      there: () => (missing ? marks : -1),
    };
  }

  /** @param summed axes to sum over; the last multiplication and the sum are one loop */
  private product(
    product: Product,
    bound: string,
    summed: string,
    sizes: Readonly<Record<string, readonly [skip: number, size: number]>> = {},
  ): Operation {
    const operands = this.operandsOf(product, bound);
    // Marks of what is there belong to the first operand.
    const mayLack = ({ there, indirect }: Operation) => ((there ?? indirect) ? 1 : 0);
    operands.sort((a, b) => mayLack(b) - mayLack(a));
    const one = (): Operation => {
      const at = this.values.allocate(1);
      return { axes: '', strides: [], run: () => ((this.values.data[at] = 1), at) };
    };
    const [first, ...rest] = operands;
    const last = rest.pop() ?? one();
    const before = rest.reduce((x, y) => this.multiplied(x, y, '', {}), first);
    return this.multiplied(before, last, summed, sizes);
  }

  private multiplied(
    first: Operation,
    second: Operation,
    summed: string,
    ranges: Readonly<Record<string, readonly [skip: number, size: number]>>,
  ): Operation {
    const { indirect } = first;
    const y = this.direct(second);
    // Where nothing is summed, marks go on with the values.
    const isSummed = summed !== '' || lettersOf(y.axes).some((axis) => !first.axes.includes(axis));
    const isInPlace = indirect !== undefined && isSummed && !y.there && Object.keys(ranges).length === 0;
    const x = isInPlace ? first : this.direct(first);
    const axes = this.values.sorted(union(x.axes, y.axes, summed));
    const kept = lettersOf(axes)
      .filter((axis) => !summed.includes(axis))
      .join('');
    const result = this.result(kept);
    const out = lettersOf(axes).map((axis) => (summed.includes(axis) ? 0 : strideOf(result, axis)));
    const sizes = lettersOf(axes).map((axis) => (axis in ranges ? ranges[axis][1] : this.sizes[axis]));
    const nest = this.nest(axes, out, x, y, sizes);
    const skip = (from: Operation) =>
      Object.entries(ranges).reduce((sum, [axis, [skipped]]) => sum + skipped * strideOf(from, axis), 0);
    const [skipX, skipY] = [skip(x), skip(y)];
    if (isInPlace) {
      const inPlaceNest = this.nest(axes, out, indirect, y, sizes, indirect);
      return {
        ...result,
        run: () => {
          const [p, second, b] = [indirect.run(), indirect.second.run(), y.run()];
          const at = result.clear();
          addGathered(this.values.data, inPlaceNest, at, p, second, b, indirect.region());
          return at;
        },
      };
    }
    return {
      ...result,
      ...(x.there && summed === '' && kept === x.axes ? { there: x.there } : {}),
      run: () => {
        const [a, b] = [x.run() + skipX, y.run() + skipY];
        const there = x.there?.() ?? -1;
        const at = result.clear();
        if (there < 0) addProduct(this.values.data, nest, at, a, b, 1);
        else addProductWhere(this.values.data, nest, at, a, b, 1, there + skipX);
        return at;
      },
    };
  }

  private reduction({ how, axes: over, body, skipped = [0, 0] }: Reduction, bound: string): Operation {
    if (this.isLimited(over)) return this.unknown();
    const ranges: Record<string, readonly [number, number]> = {};
    for (const axis of over)
      if (skipped[0] + skipped[1] > 0)
        ranges[axis] = [skipped[0], Math.max(0, this.program.axes[axis] - skipped[0] - skipped[1])];
    if (how === 'Σ')
      return body.kind === 'product'
        ? this.product(body, bound, over, ranges)
        : this.product({ kind: 'product', factors: [{ node: body, power: 1 }] }, bound, over, ranges);
    const from = this.compile(body, bound);
    if (how === 'first' || how === 'last') return this.picked(from, over, how === 'last');
    return this.chosen(from, over, how);
  }

  private cut({ axis, skipped: [start, end], body }: Cut, bound: string): Operation {
    const from = this.compile(body, bound);
    const [size, computed] = [this.program.axes[axis], this.sizes[axis]];
    const isInside = (i: number) => i >= start && i < size - end;
    if (axis === bound) {
      const result = this.result(from.axes);
      const copy = this.nest(from.axes, result.strides, from);
      return {
        ...result,
        run: () => {
          const at = result.clear();
          if (isInside(this.values.step)) add(this.values.data, copy, at, from.run(), 1);
          return at;
        },
      };
    }
    const axes = this.values.sorted(union(from.axes, axis));
    const result = this.result(axes);
    const all = this.nest(axes, result.strides, from);
    const stride = strideOf(result, axis);
    return {
      ...result,
      run: () => {
        const at = result.clear();
        add(this.values.data, all, at, from.run(), 1);
        const { data } = this.values;
        for (let i = 0; i < this.sizeOfAxes(axes); i++)
          if (!isInside(Math.floor(i / stride) % computed)) data[at + i] = 0;
        return at;
      },
    };
  }

  private picked(from: Operation, over: string, isLast: boolean): Operation {
    const axes = lettersOf(from.axes)
      .filter((axis) => !over.includes(axis))
      .join('');
    let shift = 0;
    if (isLast) for (const axis of over) shift += (this.program.axes[axis] - 1) * strideOf(from, axis);
    return { axes, strides: lettersOf(axes).map((axis) => strideOf(from, axis)), run: () => from.run() + shift };
  }

  /** The index along one axis whose element beats all others; −1 if none is there. */
  private chosen(
    from: Operation,
    over: string,
    how: 'argmax' | 'argmaxLast' | 'argmin' | 'argmaxMagnitude',
  ): Operation {
    const axes = lettersOf(from.axes)
      .filter((axis) => !over.includes(axis))
      .join('');
    const result = this.result(axes);
    const sizes = lettersOf(axes).map((axis) => this.sizes[axis]);
    const count = this.sizeOfAxes(axes);
    const strides = lettersOf(axes).map((axis) => strideOf(from, axis));
    const [along, length] = [strideOf(from, over), this.sizes[over]];
    const beats = {
      argmax: (a: number, b: number) => a > b || Number.isNaN(a),
      argmaxLast: (a: number, b: number) => a >= b || Number.isNaN(a),
      argmin: (a: number, b: number) => a < b,
      argmaxMagnitude: (a: number, b: number) => Math.abs(a) > Math.abs(b),
    }[how];
    const index = new Array<number>(axes.length);
    return {
      ...result,
      run: () => {
        let x = from.run();
        const there = from.there?.() ?? -1;
        const marks = there - x;
        const at = result.clear();
        const { data } = this.values;
        index.fill(0);
        for (let i = 0; i < count; i++) {
          let best = -1;
          for (let k = 0; k < length; k++) {
            const place = x + k * along;
            if (there >= 0 && data[place + marks] === 0) continue;
            if (best < 0 || beats(data[place], data[x + best * along])) best = k;
          }
          data[at + i] = best;
          for (let axis = axes.length - 1; axis >= 0; axis--) {
            x += strides[axis];
            if (++index[axis] < sizes[axis]) break;
            x -= strides[axis] * sizes[axis];
            index[axis] = 0;
          }
        }
        return at;
      },
    };
  }
}

function raised(power: number): (value: number) => number {
  if (power === -1) return (value) => 1 / value;
  if (power === 2) return (value) => value * value;
  if (power === 3) return (value) => value * value * value;
  return (value) => value ** power;
}
