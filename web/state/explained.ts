/** The cell that a person points at, and its explanation. */
import { computed, effect, signal } from '@preact/signals';
import { agrees, type Call, type Cell, type Explanation, type Feed } from '../explain/explanation.js';
import { explainByRow, oneAt } from '../explain/jacobian.js';
import { at, tensorOf, type Nested } from '../tensors/tensor.js';
import { backward, forward, optionsOf, tensorsOf } from './answers.js';
import { catalogue, settled } from './catalogue.js';
import { backwardRequest } from './request.js';
import { call as callService, Refused } from './service.js';
import { change, page, state } from './state.js';

/** The cell under the pointer, or with the keyboard focus. */
export const pointed = signal<Cell | undefined>(undefined);

/** The cell that is pointed at takes precedence over the pinned one. */
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

/** Derivatives of a cell, for a layer whose page has no explanations. */
const row = signal<{ readonly cell: Cell; readonly gradients: Call['gradients'] } | undefined>(undefined);

/** Asks for the derivatives of the shown cell whenever it changes, until the page is closed. */
export function keepExplaining(): void {
  effect(() => {
    const [cell, call, entry] = [shown.value, currentCall.value, catalogue.value.get(state.value.layer)];
    const upstream = !page.value.explain && cell && call && entry && oneAt(cell, entry, call);
    if (!upstream) return undefined;
    const controller = new AbortController();
    const now = state.peek();
    const request = backwardRequest({ ...now, upstream }, optionsOf(now, forward.peek() ?? {}));
    callService(request, controller.signal).then(
      (answer) => {
        row.value = { cell, gradients: tensorsOf(answer) };
      },
      (error: unknown) => {
        // The page's main request shows the reason of a refusal.
        if (!(error instanceof Refused) && !controller.signal.aborted) throw error;
      },
    );
    return () => {
      controller.abort();
    };
  });
}

function explanationOf(cell: Cell, call: Call, value: number): Explanation | undefined {
  if (page.value.explain) return page.value.explain(cell, call);
  return row.value?.cell === cell ? explainByRow(cell, value, row.value.gradients) : undefined;
}

export interface Explained {
  readonly cell: Cell;
  /** The service's value. */
  readonly value: number;
  /** Absent if there is none, or if its result differs from the service's value. */
  readonly explanation?: Explanation | undefined;
  readonly differs?: number;
}

/** Beyond this size an explanation would take longer than the layer itself. */
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
  const explanation = explanationOf(cell, call, value);
  if (!explanation) return { cell, value };
  const dtype = state.value.options.dtype === 'float32' ? 'float32' : 'float64';
  if (agrees(explanation, value, dtype)) return { cell, value, explanation };
  return { cell, value, differs: explanation.value };
});

export const cellKey = (tensor: string, index: readonly number[]): string => `${tensor}:${index.join(',')}`;

/** Brightness, from 0 to 1, of each cell that the shown one depends on. */
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

/** Brightness of a cell whose contribution is 0: it is highlighted, too. */
const FAINTEST = 0.12;
