/** What a page shows of a layer that the service's catalogue does not say. */
import type { Explain } from '../explain/explanation.js';
import type { LayerEntry } from '../state/catalogue.js';
import { shapeOf, type Nested, type Shape } from '../tensors/tensor.js';

export interface Example {
  readonly name: string;
  readonly inputs: Readonly<Record<string, Nested>>;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly upstream: Readonly<Record<string, Nested>>;
}

export interface LayerPage {
  readonly name: string;
  /** What it is for, in a paragraph. */
  readonly purpose: string;
  /** A visitor sees the first one. */
  readonly examples: readonly [Example, ...Example[]];
  /** Where an optional tensor starts when a person adds it; without it, as zeros of the shape that the catalogue says. */
  readonly added?: (name: string, inputs: Readonly<Record<string, Nested>>) => { shape: Shape; value: number };
  /** Formulas with their numbers filled in; without it, cells are explained by their derivatives. */
  readonly explain?: Explain;
  /** A label for index `i` of `size` along the second-to-last axis (or a vector's only axis), next to its number. */
  readonly label?: (tensor: string, i: number, size: number) => string | undefined;
}

/** The page of a layer that adds nothing to its definition. */
export function pageFrom({ layer, summary, forward, backward }: LayerEntry): LayerPage {
  const only = (fields: object, names: object) =>
    Object.fromEntries(Object.entries(fields).filter(([name]) => name in names)) as Record<string, Nested>;
  const example = {
    name: 'Example',
    inputs: only(forward.example, forward.tensors),
    options: only(forward.example, forward.options),
    upstream: only(backward.example, backward.tensors),
  };
  return { name: layer, purpose: summary, examples: [example] };
}

/** Sizes by their letters, where a tensor described as `[N, C, *]` has a shape. */
function sizesIn(text: string, shape: Shape): [letter: string, size: number][] {
  const lists = [...text.matchAll(/\[([^\]]*)\]/g)].map(([, list]) => list.split(', '));
  for (const letters of lists) {
    const rest = letters.findIndex((letter) => /^[*…]/.test(letter));
    if (rest < 0 ? letters.length !== shape.length : letters.length - 1 > shape.length) continue;
    const axis = (i: number) => (rest < 0 || i < rest ? i : shape.length - letters.length + i);
    return letters.map((letter, i) => [letter, shape[axis(i)]]);
  }
  return [];
}

/** The shape of a tensor that is not given, by the letters of its description. A letter that no given tensor has is 1. */
export function shapeOfAbsent(
  name: string,
  { forward: { tensors } }: LayerEntry,
  inputs: Readonly<Record<string, Nested>>,
): Shape {
  const shapes = shapesOf(inputs);
  const { shape: text } = tensors[name];
  const given = Object.entries(shapes).filter(([each]) => each in tensors);
  const sizes = new Map(given.flatMap(([each, shape]) => sizesIn(tensors[each].shape, shape)));
  const [, list = ''] = /\[([^\]]*)\]/.exec(text) ?? [];
  const like = /^as (\w+)$/.exec(text)?.[1] ?? '';
  return like in shapes ? shapes[like] : list.split(', ').map((letter) => sizes.get(letter) ?? 1);
}

/** Rounds numbers of examples for reading; adding 0 turns -0 into 0. */
export const rounded = (value: number, digits = 2): number => Number(value.toFixed(digits)) + 0;

export const shapesOf = (tensors: Readonly<Record<string, Nested>>): Record<string, Shape> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, shapeOf(tensor)]));
