/** The cell that is pointed at, and where it came from. */
import { computed, signal } from '@preact/signals';
import { agrees, type Call, type Cell, type Explanation, type Feed } from '../explain/explanation.js';
import { at, tensorOf, type Nested } from '../tensors/tensor.js';
import { backward, forward, tensorsOf } from './answers.js';
import { catalogue, settled } from './catalogue.js';
import { change, page, state } from './state.js';

/** Under the mouse or the keyboard's focus; passes when they go on. */
export const pointed = signal<Cell | undefined>(undefined);

/** What passes hides what stays. */
export const shown = computed(() => pointed.value ?? state.value.pinned);

export function pin(cell: Cell | undefined): void {
  change({ pinned: cell });
}

export const currentCall = computed((): Call | undefined => {
  const entry = catalogue.value.get(state.value.layer);
  const outputs = tensorsOf(forward.value);
  if (!entry || !forward.value) return undefined;
  const { inputs, upstream, options } = state.value;
  const tensors = (nested: Readonly<Record<string, Nested>>) =>
    Object.fromEntries(Object.entries(nested).map(([name, value]) => [name, tensorOf(value)]));
  return {
    inputs: tensors(inputs),
    options: settled(entry, options),
    outputs,
    upstream: tensors(upstream),
    gradients: tensorsOf(backward.value),
  };
});

export interface Explained {
  readonly cell: Cell;
  /** The service's. */
  readonly value: number;
  /** Absent where there is none, or where it does not come to the service's value. */
  readonly explanation?: Explanation | undefined;
  readonly differs?: number;
}

/** Beyond it the page would be busier than the service. */
export const MOST_CELLS = 20_000;

export const explained = computed((): Explained | undefined => {
  const cell = shown.value;
  const call = currentCall.value;
  if (!cell || !call) return undefined;
  const tensor = call.outputs[cell.tensor] ?? call.gradients[cell.tensor];
  if (cell.index.length !== tensor?.shape.length || cell.index.some((i, axis) => !(i < tensor.shape[axis])))
    return undefined;
  const value = at(tensor, cell.index);
  if ((call.inputs.x?.data.length ?? 0) > MOST_CELLS) return { cell, value };
  const explanation = page.value.explain(cell, call);
  if (!explanation) return { cell, value };
  const dtype = state.value.options.dtype === 'float32' ? 'float32' : 'float64';
  if (agrees(explanation, value, dtype)) return { cell, value, explanation };
  return { cell, value, differs: explanation.value };
});

export const cellKey = (tensor: string, index: readonly number[]): string => `${tensor}:${index.join(',')}`;

/** How brightly each cell that feeds the shown one is lit, from 0 to 1. */
export const lit = computed((): ReadonlyMap<string, number> => {
  const feeds: readonly Feed[] = explained.value?.explanation?.feeds ?? [];
  const most = new Map<string, number>();
  for (const { tensor, weight = 0 } of feeds) most.set(tensor, Math.max(most.get(tensor) ?? 0, Math.abs(weight)));
  const lights = new Map<string, number>();
  for (const { tensor, index, weight } of feeds) {
    const key = cellKey(tensor, index);
    const brightness =
      weight === undefined ? 0.5 : Math.abs(weight) / Math.max(most.get(tensor) ?? 0, Number.MIN_VALUE);
    lights.set(key, Math.max(lights.get(key) ?? 0, brightness, FAINTEST));
  }
  return lights;
});

/** A cell that feeds another one with nothing is still one of them. */
const FAINTEST = 0.12;
