/** The values of all quantities of an instance, in one array, so that evaluating formulas allocates nothing. */
import { lettersOf } from './language.js';
import type { Program } from './program.js';

export interface Quantity {
  readonly name: string;
  readonly id: number;
  readonly axes: string;
  readonly strides: readonly number[];
  readonly size: number;
  /** Elements before index 0: one slice if it has the axis of a scan. */
  readonly lead: number;
  readonly right: number;
  readonly changed: number;
}

export class Values {
  data = new Float64Array(1024);
  /** The offset of each quantity's region that is read now. */
  readonly where: number[] = [];
  /** The current step of a scan. */
  step = 0;
  private top = 0;
  private readonly quantities = new Map<string, Quantity>();
  private readonly order: string;

  constructor(readonly sizes: Program['axes']) {
    this.order = Object.keys(sizes).join('');
  }

  has(name: string): boolean {
    return this.quantities.has(name);
  }

  /** @throws {SyntaxError} if there is none */
  quantity(name: string): Quantity {
    const found = this.quantities.get(name);
    if (!found) throw new SyntaxError(`${name} is not defined`);
    return found;
  }

  declare(name: string, axes: string): Quantity {
    const scanned = axes.includes('t');
    // Time comes first, so that a step is one slice.
    const stored = scanned ? `t${axes.replace('t', '')}` : axes;
    const strides = this.denseStrides(stored);
    const size = this.sizeOfAxes(stored);
    const lead = scanned ? size / this.sizes.t : 0;
    const total = size + 2 * lead;
    const quantity = {
      name,
      id: this.quantities.size,
      axes: stored,
      ...{ strides, size, lead },
      right: this.allocate(total),
      changed: this.allocate(total),
    };
    this.quantities.set(name, quantity);
    this.where[quantity.id] = quantity.right;
    return quantity;
  }

  load({ lead, axes }: Quantity, region: number, values: ArrayLike<number>): void {
    this.data.set(values, region + lead);
    if (axes.startsWith('t')) this.data.fill(0, region, region + lead);
  }

  allocate(size: number): number {
    const at = this.top;
    this.top += size;
    if (this.top > this.data.length) {
      const larger = new Float64Array(2 * this.top);
      larger.set(this.data);
      this.data = larger;
    }
    return at;
  }

  /** The mark up to which room is in use, to release what is allocated after it. */
  mark(): number {
    return this.top;
  }

  releaseTo(mark: number): void {
    this.top = mark;
  }

  sizeOfAxes(axes: string): number {
    let size = 1;
    for (const axis of axes) size *= this.sizes[axis];
    return size;
  }

  denseStrides(axes: string): number[] {
    const strides = Array<number>(axes.length);
    for (let i = axes.length - 1, stride = 1; i >= 0; stride *= this.sizes[axes[i--]]) strides[i] = stride;
    return strides;
  }

  /** Axes in the order of the program. */
  sorted(axes: string): string {
    return lettersOf(this.order)
      .filter((axis) => axes.includes(axis))
      .join('');
  }
}
