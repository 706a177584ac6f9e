/** `GET /layers`: the source of forms and labels. */
import { signal } from '@preact/signals';
import { get } from './service.js';

export interface TensorEntry {
  readonly shape: string;
  readonly element: 'float' | 'integer' | 'mask';
  readonly description: string;
  readonly required: boolean;
}

/** The part of JSON Schema that options use. */
export interface OptionSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly OptionSchema[];
}

export interface OptionEntry {
  readonly description: string;
  readonly expected: string;
  readonly required: boolean;
  readonly default?: unknown;
  readonly schema: OptionSchema;
}

export interface LayerEntry {
  readonly layer: string;
  readonly summary: string;
  /** Path of its page in the documentation. */
  readonly reference: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly forward: {
    readonly tensors: Readonly<Record<string, TensorEntry>>;
    readonly options: Readonly<Record<string, OptionEntry>>;
    /** Fields of every forward request. */
    readonly request: Readonly<Record<'dtype' | 'session', OptionEntry>>;
    readonly answers: Readonly<Record<string, TensorEntry | OptionEntry>>;
    /** Formulas, a line each. */
    readonly tex: readonly string[];
    readonly example: Readonly<Record<string, unknown>>;
  };
  readonly backward: {
    readonly tensors: Readonly<Record<string, TensorEntry>>;
    readonly answers: Readonly<Record<string, TensorEntry>>;
    readonly tex: readonly string[];
    readonly example: Readonly<Record<string, unknown>>;
  };
  readonly conventions: readonly string[];
  readonly sources: readonly string[];
}

export const catalogue = signal<ReadonlyMap<string, LayerEntry>>(new Map());

export async function loadCatalogue(): Promise<void> {
  const { layers } = await get<{ layers: readonly LayerEntry[] }>('/layers');
  catalogue.value = new Map(layers.map((entry) => [entry.layer, entry]));
}

/** All options: the given ones, and the defaults of the others. */
export function settled(entry: LayerEntry, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const defaults = Object.entries(entry.forward.options)
    .filter(([, option]) => 'default' in option)
    .map(([name, option]) => [name, option.default] as const);
  return { ...Object.fromEntries(defaults), ...given };
}
