/** The settings in which the checks of a layer are tested: those that differ in which mistakes show. */
import type { Wish } from '../../src/check/definition.js';
import { allChecks } from '../../src/check/registry.js';
import { atScale } from '../support/scale.js';

/** Mistakes that a global window never shows: it has no padding, stride or dilation. */
const NEVER_GLOBAL = ['dx_assigned', 'padding_side', 'maximum_over_zero_padding'];

/** A setting in which to look for a layer's mistakes. Layers without an entry use their own example. */
export interface Setting {
  readonly wish: Wish;
  /** Mistakes that give the right answer in this setting, whatever the values. */
  readonly never?: readonly string[];
  /** Mistakes that show only in a case made for them. */
  readonly apart?: readonly string[];
}

const AXES = [1, 2, 3];

/** Every kind of window: how an average counts, and whether the last window may extend past the end. */
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
        // With one axis, there is room either for an overhanging window or for one that is dropped, but not for both.
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

/** Two axes, so that exchanging them shows, and without the variants of ceil_mode and count_include_pad. */
const isOfQuickRun = ({ wish: { axes = 2, options = {} } }: Setting): boolean =>
  axes === 2 && options.ceil_mode !== true && options.count_include_pad !== false;

export const settings = allChecks.flatMap((checks) => {
  const { name } = checks.layer;
  const all = SETTINGS[name] ?? [{ wish: {} }];
  return atScale({ all, quick: all.filter(isOfQuickRun) }).map((setting) => ({ name, checks, setting }));
});
