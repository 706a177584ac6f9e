/** What the checks of a layer are tried in: the kinds of it that differ in where its mistakes show. */
import type { Wish } from '../../src/check/definition.js';
import { allChecks } from '../../src/check/registry.js';

/** One window, without padding, steps or gaps. */
const NEVER_GLOBAL = [
  'dx_assigned',
  'padding_forgotten_in_backward',
  'stride_forgotten_in_backward',
  'kernel_for_stride_in_backward',
  'dilation_forgotten_in_backward',
  'padding_side',
  'maximum_over_zero_padding',
  'indices_in_the_window',
  'indices_in_the_padded_plane',
  'pad_not_counted',
  'divided_by_the_span',
  'gradient_divided_by_another_count',
];

/** What the mistakes of a layer are looked for in; every layer's own example, where nothing is said. */
export interface Setting {
  readonly wish: Wish;
  /** Mistakes that give the right answer there, whatever the numbers. */
  readonly never?: readonly string[];
  /** Mistakes that show in a case of their own alone. */
  readonly apart?: readonly string[];
}

const AXES = [1, 2, 3];

/** Every kind of window: how an average counts, and whether the last window may hang over the end. */
const WINDOWED = [
  { mode: 'max', ceil_mode: false },
  { mode: 'max', ceil_mode: true },
  { mode: 'average', count_include_pad: true, ceil_mode: false },
  { mode: 'average', count_include_pad: true, ceil_mode: true },
  { mode: 'average', count_include_pad: false, ceil_mode: false },
  { mode: 'average', count_include_pad: false, ceil_mode: true },
];

const SETTINGS: Readonly<Record<string, readonly Setting[]>> = {
  convolution: [false, true].flatMap((transposed) => AXES.map((axes) => ({ wish: { axes, options: { transposed } } }))),
  pooling: [
    ...WINDOWED.flatMap((options) =>
      AXES.map((axes) => ({
        wish: { axes, options: { ...options, global: false } },
        // One axis has room for an overhang, or for a window that is dropped.
        apart: options.ceil_mode && axes === 1 ? ['window_in_the_padding_kept'] : [],
      })),
    ),
    ...['max', 'average'].flatMap((mode) =>
      AXES.map((axes) => ({
        wish: { axes, options: { mode, global: true, ceil_mode: false, count_include_pad: true } },
        never: NEVER_GLOBAL,
      })),
    ),
  ],
};

export const settings = allChecks.flatMap((checks) => {
  const { name } = checks.layer;
  return (SETTINGS[name] ?? [{ wish: {} }]).map((setting) => ({ name, checks, setting }));
});
