/** A pooling of planes by hand: window by window, with its elements collected first. */
import { make, range, values, type Implementation } from './implementation.js';

type Pair = readonly [number, number];

interface Element {
  readonly row: number;
  readonly column: number;
  readonly value: number;
  readonly tap: number;
  /** In the padding, or beyond it. */
  readonly pad: boolean;
}

export const pooling: Implementation = ({ inputs, options, upstream }, wrong = '') => {
  const [N, C, height, width] = inputs.x.shape;
  const [KH, KW] = options.kernel_size as Pair;
  const [SH, SW] = options.stride as Pair;
  const [DH, DW] = options.dilation as Pair;
  let pads = options.padding as readonly [Pair, Pair];
  if (wrong === 'padding_side')
    pads = [
      [pads[0][1], pads[0][0]],
      [pads[1][1], pads[1][0]],
    ];
  const [[top, bottom], [left, right]] = pads;
  const max = options.mode === 'max';
  const size = (length: number, before: number, after: number, kernel: number, stride: number, dilation: number) => {
    const room = length + before + after - dilation * (kernel - 1) - 1;
    if (options.ceil_mode !== true) return Math.floor(room / stride) + 1;
    const rounded = Math.ceil(room / stride) + 1;
    return (rounded - 1) * stride >= length + before ? rounded - 1 : rounded;
  };
  const OH = size(height, top, bottom, KH, SH, DH);
  const OW = size(width, left, right, KW, SW, DW);
  const x = values(inputs.x);
  const dout = 'dout' in upstream ? values(upstream.dout) : undefined;
  const dx = x.map(() => 0);
  const out: number[] = [];
  const indices: number[] = [];

  for (const plane of range(N * C))
    for (const i of range(OH))
      for (const j of range(OW)) {
        const at = out.length;
        const elements: Element[] = [];
        let inPadded = 0;
        for (const kh of range(KH))
          for (const kw of range(KW)) {
            const row = i * SH + kh * DH - top;
            const column = j * SW + kw * DW - left;
            const pad = row < 0 || row >= height || column < 0 || column >= width;
            if (row < height + bottom && column < width + right) inPadded++;
            const value = pad ? 0 : x[plane * height * width + row * width + column];
            elements.push({ row, column, value, tap: kh * KW + kw, pad });
          }
        const present = elements.filter(({ pad }) => !pad);
        const write = (row: number, column: number, value: number) => {
          if (row < 0 || row >= height || column < 0 || column >= width) return;
          const place = plane * height * width + row * width + column;
          dx[place] = wrong === 'dx_assigned' ? value : dx[place] + value;
        };
        /** Where backward thinks that a tap lies. */
        const back = ({ tap }: Element): Pair => {
          const [kh, kw] = [Math.floor(tap / KW), tap % KW];
          const [sh, sw] =
            wrong === 'stride_forgotten_in_backward'
              ? [1, 1]
              : wrong === 'kernel_for_stride_in_backward'
                ? [KH, KW]
                : [SH, SW];
          const [dh, dw] = wrong === 'dilation_forgotten_in_backward' ? [1, 1] : [DH, DW];
          const [ph, pw] = wrong === 'padding_forgotten_in_backward' ? [0, 0] : [top, left];
          return [i * sh + kh * dh - ph, j * sw + kw * dw - pw];
        };

        if (max) {
          let winner = present[0];
          for (const element of present) {
            const [a, b] = [element.value, winner.value];
            if (wrong === 'minimum' ? a < b : wrong === 'largest_magnitude' ? Math.abs(a) > Math.abs(b) : a > b)
              winner = element;
            if (wrong === 'last_tie_wins' && a === b) winner = element;
          }
          const padWins = wrong === 'maximum_over_zero_padding' && present.length < KH * KW && winner.value < 0;
          out.push(padWins ? 0 : winner.value);
          let index = winner.row * width + winner.column;
          if (wrong === 'indices_in_the_window') index = winner.tap;
          if (wrong === 'indices_in_the_padded_plane')
            index = (winner.row + top) * (width + left + right) + winner.column + left;
          if (wrong === 'indices_in_the_tensor') index += plane * height * width;
          if (wrong === 'indices_from_one') index += 1;
          if (wrong === 'indices_column_major') index = winner.column * height + winner.row;
          indices.push(index);
          if (!dout || padWins) continue;
          const d = dout[at];
          const ties = present.filter(({ value }) => value === winner.value);
          if (wrong === 'ties_all_take_the_gradient') for (const { row, column } of ties) write(row, column, d);
          else if (wrong === 'ties_share_the_gradient')
            for (const { row, column } of ties) write(row, column, d / ties.length);
          else if (wrong === 'gradient_to_the_whole_window')
            for (const { row, column } of present) write(row, column, d);
          else if (wrong === 'gradient_of_the_average')
            for (const { row, column } of present) write(row, column, d / (KH * KW));
          else if (wrong === 'gradient_to_the_first_tap') write(elements[0].row, elements[0].column, d);
          else if (wrong === 'gradient_times_the_maximum') write(winner.row, winner.column, d * winner.value);
          else write(...back(winner), d);
        } else {
          let count = options.count_include_pad === true ? inPadded : present.length;
          if (wrong === 'pad_counted') count = inPadded;
          if (wrong === 'pad_not_counted') count = present.length;
          if (wrong === 'divided_by_the_full_window') count = KH * KW;
          let total = 0;
          for (const { value } of present) total += value;
          out.push(wrong === 'not_divided' ? total : total / count);
          if (!dout) continue;
          const d = dout[at];
          if (wrong === 'gradient_to_one_tap') write(present[0].row, present[0].column, d / count);
          else if (wrong === 'gradient_divided_by_another_count')
            for (const element of elements) write(...back(element), d / present.length);
          else
            for (const element of elements)
              write(...back(element), wrong === 'gradient_not_divided' || wrong === 'not_divided' ? d : d / count);
        }
      }
  const outShape = [N, C, OH, OW];
  return {
    out: make(outShape, out),
    ...(max && options.return_indices === true ? { indices: make(outShape, indices) } : {}),
    ...(dout ? { dx: make(inputs.x.shape, dx) } : {}),
  };
};
