/** The checks of a layer, from its formulas and its known mistakes. */
import { formulas } from '../formulas/layers/registry.js';
import type { Layer } from '../layers/definition.js';
import type { Instance, Tensors } from '../layers/instance.js';
import { canBeMade, worded, type Absences, type Alternative, type Checks, type MistakeText } from './definition.js';
import { wordingWithout } from './wording.js';
import { Formulas, withMasks, writtenAs, type Way } from './written.js';

/** Where there is only one way to make a mistake, that is written in the mistake itself. */
export type Mistake = MistakeText & (Way | { readonly ways: readonly Way[] });

/** Mistakes that share their tensors or needs, except for those that state their own. */
export function sharing<Shared extends keyof MistakeText>(
  shared: Pick<MistakeText, Shared>,
  mistakes: readonly (Partial<MistakeText> &
    Omit<MistakeText, NoInfer<Shared>> &
    (Way | { readonly ways: readonly Way[] }))[],
): readonly Mistake[] {
  return mistakes.map((mistake) => ({ ...shared, ...mistake }) as unknown as Mistake);
}

interface Definition extends Omit<
  Checks,
  'layer' | 'plain' | 'alternatives' | 'formulas' | 'mistakes' | 'ways' | 'absent'
> {
  /** A {@link Layer}; `unknown` because its types are narrower than those of the requests checked here. */
  readonly layer: unknown;
  readonly mistakes: readonly Mistake[];
}

/** A mistake's text and its ways apart. */
function split(mistake: Mistake): { readonly text: MistakeText; readonly ways: readonly Way[] } {
  const { formulas, given, only, program, isFitted, ways, ...text } = mistake as MistakeText &
    Way & { readonly ways?: readonly Way[] };
  const own = { formulas, given, only, program, isFitted } as Way;
  return { text, ways: ways ?? [own] };
}

const RIGHT: MistakeText = { id: 'none', tensors: [], explanation: '', fix: '' };

export function defineChecks(definition: Definition): Checks {
  const mistakes = definition.mistakes.map(split);
  const layer = definition.layer as Layer;
  const { idle = {} } = definition;
  const { inputs, upstream } = layer.schemas;
  const optional = Object.keys(inputs.properties).filter((name) => !inputs.required?.includes(name));
  const gradients = optional.map((name) => `d${name}`);
  const names = [...optional, ...gradients, ...Object.keys(upstream.properties), ...Object.keys(idle)];
  const absent = (instance: Instance) => {
    const given = { ...instance.inputs, ...instance.upstream };
    const isAbsent = (name: string) => {
      if (name in idle) return idle[name](instance);
      return !((gradients.includes(name) ? name.slice(1) : name) in given);
    };
    return new Set(names.filter(isAbsent));
  };
  const absencesOf = (instance: Instance): Absences => {
    const lacking = absent(instance);
    return { names, absent: lacking, wording: wordingWithout(lacking) };
  };
  const possible = (instance: Instance, absences = absencesOf(instance)) =>
    mistakes.filter(({ text }) => canBeMade(text, instance, absences));
  const formulasOf = (instance: Instance, right: Tensors) =>
    new Formulas(formulas[layer.name](withMasks(instance, right)), right);
  return {
    ...definition,
    layer,
    mistakes: mistakes.map(({ text }) => text),
    ways: (instance) =>
      (instance === undefined ? mistakes : possible(instance)).reduce((sum, { ways }) => sum + ways.length, 0),
    absent,
    plain: (instance, right) => {
      const writing = { formulas: formulasOf(instance, right), instance, claims: {} };
      const plain = writtenAs(RIGHT, {}, writing);
      if (!plain) throw new Error(`no formulas of ${layer.name}`);
      return plain;
    },
    formulas: formulasOf,
    alternatives: (instance, right, claims, known = formulasOf(instance, right)) => {
      const writing = { formulas: known, instance, claims };
      const absences = absencesOf(instance);
      const { apt } = absences.wording;
      return possible(instance, absences).flatMap((mistake) => {
        const text = worded(mistake.text, absences.wording, Object.keys(idle));
        return mistake.ways.flatMap((way): Alternative[] => {
          const own = way.explanation === undefined ? text : { ...text, explanation: apt(way.explanation) };
          return [writtenAs(own, way, writing) ?? []].flat();
        });
      });
    },
  };
}
