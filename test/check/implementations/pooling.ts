/** A handwritten pooling: window by window, collecting the elements first. */
import { sizeOf, type Tensor } from '../../../src/tensor/tensor.js';
import { make, range, sum, values, type Implementation } from './implementation.js';
import { at as indexIn, geometry, grid, isIn, map3, shortened, three, type Three } from './planes.js';

interface Element {
  readonly place: Three;
  readonly value: number;
  readonly k: Three;
  /** Undefined in the padding, or beyond it. */
  readonly pad: boolean;
}

/** Pools over the first spatial axes, as if the channels were last. */
function overOtherAxes(x: Tensor, max: boolean): Tensor {
  const last = x.shape[x.shape.length - 1];
  const [N, rest] = [x.shape[0], sizeOf(x.shape.slice(1, -1))];
  const results = range(N).flatMap((n) =>
    range(last).map((w) => {
      const all = range(rest).map((i) => x.data[(n * rest + i) * last + w]);
      return max ? Math.max(...all) : sum(all) / rest;
    }),
  );
  return make([N, last], results);
}

export const pooling: Implementation = (instance, wrong) =>
  wrong === 'number_of_windows' ? shortened(pooled, instance) : pooled(instance, wrong);

const pooled: Implementation = ({ inputs, options, upstream }, wrong = '') => {
  const axes = inputs.x.shape.length - 2;
  const planes = inputs.x.shape[0] * inputs.x.shape[1];
  const size = three(inputs.x.shape.slice(2), axes, 1);
  const {
    kernel_size,
    stride: asked,
    global,
  } = options as {
    kernel_size?: number | number[];
    stride?: number | number[];
    global: boolean;
  };
  const kernel = global ? size : three(kernel_size ?? 1, axes, 1);
  const { dilation, ...padded } = geometry({ ...options, stride: 1 }, axes);
  const stride = global ? size : three(asked ?? kernel.slice(3 - axes), axes, 1);
  const [before, after] = wrong === 'padding_side' ? [padded.after, padded.before] : [padded.before, padded.after];
  const span = map3((axis) => dilation[axis] * (kernel[axis] - 1) + 1);
  const max = options.mode === 'max';
  const keepEmpty = wrong === 'window_in_the_padding_kept';
  const floored = map3((axis) => Math.floor((size[axis] + before[axis] + after[axis] - span[axis]) / stride[axis]) + 1);
  const outSize = map3((axis) => {
    if (options.ceil_mode !== true) return floored[axis];
    const rounded = Math.ceil((size[axis] + before[axis] + after[axis] - span[axis]) / stride[axis]) + 1;
    return (rounded - 1) * stride[axis] >= size[axis] + before[axis] && !keepEmpty ? rounded - 1 : rounded;
  });
  const [D, K, P] = [size, kernel, outSize].map(([a, b, c]) => a * b * c);
  const x = values(inputs.x);
  const dout = 'dout' in upstream && !keepEmpty ? values(upstream.dout) : undefined;
  const dx = x.map(() => 0);
  const out: number[] = [];
  const indices: number[] = [];

  const step = wrong === 'stride_forgotten_in_backward' ? ([1, 1, 1] as const) : stride;
  const apart = wrong === 'dilation_forgotten_in_backward' ? ([1, 1, 1] as const) : dilation;
  const lead = wrong === 'padding_forgotten_in_backward' ? ([0, 0, 0] as const) : before;

  for (const plane of range(planes))
    for (const p of grid(outSize)) {
      const at = plane * P + indexIn(outSize, p);
      const elements = grid(kernel).map((k): Element => {
        const place = map3((axis) => p[axis] * stride[axis] + k[axis] * dilation[axis] - before[axis]);
        const pad = !isIn(size, place);
        return { place, k, pad, value: pad ? 0 : x[plane * D + indexIn(size, place)] };
      });
      const present = elements.filter(({ pad }) => !pad);
      const inPadded = elements.filter(({ place }) => place.every((i, axis) => i < size[axis] + after[axis])).length;
      const write = (place: Three, value: number) => {
        if (!isIn(size, place)) return;
        const i = plane * D + indexIn(size, place);
        dx[i] = wrong === 'dx_assigned' ? value : dx[i] + value;
      };
      /** The position that backward assumes for a tap. */
      const back = ({ k }: Element): Three =>
        map3((axis) => {
          const by = wrong === 'kernel_for_stride_in_backward' ? kernel[axis] : step[axis];
          return p[axis] * by + k[axis] * apart[axis] - lead[axis];
        });
      const skipped = wrong === 'overhang_forgotten_in_backward' && p.some((index, axis) => index >= floored[axis]);

      if (keepEmpty && present.length === 0) {
        out.push(max ? -Infinity : 0);
        indices.push(0);
      } else if (max) {
        let winner = present[0];
        for (const element of present) {
          const [a, b] = [element.value, winner.value];
          if (wrong === 'minimum' ? a < b : wrong === 'largest_magnitude' ? Math.abs(a) > Math.abs(b) : a > b)
            winner = element;
          if (wrong === 'last_tie_wins' && a === b) winner = element;
        }
        const padWins = wrong === 'maximum_over_zero_padding' && present.length < K && winner.value < 0;
        out.push(padWins ? 0 : winner.value);
        let index = indexIn(size, winner.place);
        if (wrong === 'indices_in_the_window') index = indexIn(kernel, winner.k);
        if (wrong === 'indices_in_the_padded_plane')
          index = indexIn(
            map3((axis) => size[axis] + before[axis] + after[axis]),
            map3((axis) => winner.place[axis] + before[axis]),
          );
        if (wrong === 'indices_in_the_tensor') index += plane * D;
        if (wrong === 'indices_from_one') index += 1;
        if (wrong === 'indices_in_the_slice')
          index = axes === 3 ? winner.place[1] * size[2] + winner.place[2] : winner.place[2];
        if (wrong === 'indices_in_columns')
          index = winner.place[0] + size[0] * (winner.place[1] + size[1] * winner.place[2]);
        indices.push(index);
        if (!dout || padWins || skipped) continue;
        const d = dout[at];
        const ties = present.filter(({ value }) => value === winner.value);
        if (wrong === 'ties_all_take_the_gradient') for (const { place } of ties) write(place, d);
        else if (wrong === 'ties_share_the_gradient') for (const { place } of ties) write(place, d / ties.length);
        else if (wrong === 'gradient_to_the_whole_window') for (const { place } of present) write(place, d);
        else if (wrong === 'gradient_of_the_average') for (const { place } of present) write(place, d / K);
        else if (wrong === 'gradient_to_the_first_tap') write(elements[0].place, d);
        else if (wrong === 'gradient_times_the_maximum') write(winner.place, d * winner.value);
        else write(back(winner), d);
      } else {
        const includePad = options.count_include_pad === true;
        let count = includePad ? inPadded : present.length;
        if (wrong === 'pad_counted') count = inPadded;
        if (wrong === 'pad_not_counted') count = present.length;
        if (wrong === 'divided_by_the_full_window') count = K;
        if (wrong === 'divided_by_the_span') count = span[0] * span[1] * span[2];
        let total = 0;
        for (const { value } of present) total += value;
        out.push(wrong === 'not_divided' ? total : total / count);
        if (!dout || skipped) continue;
        const d = dout[at];
        const whole = wrong === 'gradient_not_divided' || wrong === 'not_divided';
        if (wrong === 'gradient_to_one_tap') write(present[0].place, d / count);
        else if (wrong === 'gradient_divided_by_another_count')
          for (const element of elements) write(back(element), d / (includePad ? present.length : inPadded));
        else for (const element of elements) write(back(element), whole ? d : d / count);
      }
    }
  const outShape = [...inputs.x.shape.slice(0, 2), ...outSize.slice(3 - axes)];
  return {
    out: wrong === 'global_over_other_axes' ? overOtherAxes(inputs.x, max) : make(outShape, out),
    ...(max && options.return_indices === true && !keepEmpty ? { indices: make(outShape, indices) } : {}),
    ...(dout ? { dx: make(inputs.x.shape, dx) } : {}),
  };
};
