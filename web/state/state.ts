/** Everything that a person has set. All of it is in the address, so that a link shows the same. */
import { computed, signal } from '@preact/signals';
import type { Cell } from '../explain/explanation.js';
import { pageFrom } from '../layers/page.js';
import { pages, type LayerPage } from '../layers/pages.js';
import type { Nested } from '../tensors/tensor.js';
import { catalogue } from './catalogue.js';

export interface State {
  readonly layer: string;
  readonly inputs: Readonly<Record<string, Nested>>;
  /** What differs from the defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly upstream: Readonly<Record<string, Nested>>;
  readonly claims: Readonly<Record<string, Nested>>;
  /** The cell whose explanation remains shown. */
  readonly pinned?: Cell | undefined;
}

export type Tensors = 'inputs' | 'upstream' | 'claims';

/** The layer's first example. */
export function initialState(layer: string): State {
  return stateOf(layer, pageOf(layer).examples[0]);
}

export function stateOf(layer: string, example: LayerPage['examples'][number]): State {
  const { inputs, options = {}, upstream } = example;
  return { layer, inputs, options, upstream, claims: {} };
}

export function pageOf(layer: string): LayerPage {
  const entry = catalogue.value.get(layer);
  return pages.find(({ name }) => name === layer) ?? (entry ? pageFrom(entry) : pages[0]);
}

/** Every layer that the service has. */
export const layerNames = computed(() => [...new Set([...pages.map(({ name }) => name), ...catalogue.value.keys()])]);

export const state = signal<State>(initialState(pages[0].name));

export const page = computed(() => pageOf(state.value.layer));

export function change(part: Partial<State>): void {
  state.value = { ...state.value, ...part };
}

function without<T>(record: Readonly<Record<string, T>>, name: string): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => key !== name));
}

/** `undefined` removes the tensor. */
export function setTensor(kind: Tensors, name: string, value: Nested | undefined): void {
  const rest = without(state.value[kind], name);
  change({ [kind]: value === undefined ? rest : { ...state.value[kind], [name]: value } });
}

export function setOption(name: string, value: unknown): void {
  const rest = without(state.value.options, name);
  change({ options: value === undefined ? rest : { ...rest, [name]: value } });
}
