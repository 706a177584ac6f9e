/** `GET /layers`: what forms and labels are made from. */
import { signal } from '@preact/signals';
import { get } from './service.js';

export interface TensorEntry {
  readonly shape: string;
  readonly element: 'float' | 'integer' | 'mask';
  readonly description: string;
  readonly required: boolean;
}

/** The part of JSON Schema that options are made of. */
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
  /** Where its page in words is. */
  readonly reference: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly forward: {
    readonly tensors: Readonly<Record<string, TensorEntry>>;
    readonly options: Readonly<Record<string, OptionEntry>>;
    readonly answers: Readonly<Record<string, TensorEntry | OptionEntry>>;
  };
  readonly backward: {
    readonly tensors: Readonly<Record<string, TensorEntry>>;
    readonly answers: Readonly<Record<string, TensorEntry>>;
  };
  readonly conventions: readonly string[];
  readonly sources: readonly string[];
}

export const catalogue = signal<ReadonlyMap<string, LayerEntry>>(new Map());

export async function loadCatalogue(): Promise<void> {
  const { layers } = await get<{ layers: readonly LayerEntry[] }>('/layers');
  catalogue.value = new Map(layers.map((entry) => [entry.layer, entry]));
}

/** Every option, at its default unless it is given. */
export function settled(entry: LayerEntry, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const defaults = Object.entries(entry.forward.options)
    .filter(([, option]) => 'default' in option)
    .map(([name, option]) => [name, option.default] as const);
  return { ...Object.fromEntries(defaults), ...given };
}

/** Precision stands beside the options of every layer. */
export const DTYPE: OptionEntry = {
  description: 'Precision of the arithmetic and of the answer.',
  expected: '"float64" or "float32"',
  required: false,
  default: 'float64',
  schema: { anyOf: [{ const: 'float64' }, { const: 'float32' }] },
};
