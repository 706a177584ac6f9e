/** convolution and pooling: the window as it slides over the padded input, one output after the other. */
import { useEffect, useState } from 'preact/hooks';
import { convolutionAxes, poolingAxes, tapsOf } from '../explain/windows.js';
import { currentCall, pin, shown } from '../state/explained.js';
import { state } from '../state/state.js';
import { formatCell, formatNumber } from '../tensors/format.js';
import { at, indexAt, offsetOf, sizeOf, type Index } from '../tensors/tensor.js';
import type { Call } from '../explain/explanation.js';
import type { WindowAxis } from '../../src/tensor/windows.js';

const STEP_MS = 700;

/** The windows, which cover x, or out in a transposed convolution. */
function windowsOf({ inputs: { x, weight }, options }: Call): readonly WindowAxis[] | undefined {
  if (!x) return undefined;
  const spatial = x.shape.slice(2);
  return weight ? convolutionAxes(spatial, weight.shape.slice(2), options) : poolingAxes(spatial, options);
}

export function SlidingWindow() {
  const [playing, setPlaying] = useState(false);
  const call = currentCall.value;
  const out = call?.outputs.out;
  const cell = shown.value?.tensor === 'out' ? shown.value : undefined;
  const place = out && cell?.index.length === out.shape.length ? cell.index : out?.shape.map(() => 0);
  const go = (by: number) => {
    const { pinned } = state.peek();
    if (!out) return;
    const from =
      pinned?.tensor === 'out' && pinned.index.length === out.shape.length
        ? offsetOf(out.shape, pinned.index)
        : by > 0
          ? -1
          : 0;
    const size = sizeOf(out.shape);
    pin({ tensor: 'out', index: indexAt(out.shape, (from + by + size) % size) });
  };
  useEffect(() => {
    if (!playing) return undefined;
    const timer = setInterval(() => {
      go(1);
    }, STEP_MS);
    return () => {
      clearInterval(timer);
    };
  }, [playing, out]);

  const axes = call && windowsOf(call);
  if (!call || !axes || !out || !place || axes.length > 2) return null;
  const transposed = call.options.transposed === true;
  return (
    <section class="picture" aria-labelledby="window-title">
      <h2 id="window-title">The window, sliding</h2>
      <div class="choices" onKeyDown={stepBy(go)}>
        <button
          type="button"
          aria-label="one window back"
          onClick={() => {
            go(-1);
          }}
        >
          ←
        </button>
        <button
          type="button"
          class="primary"
          aria-pressed={playing}
          onClick={() => {
            setPlaying(!playing);
          }}
        >
          {playing ? 'Pause' : 'Play'}
        </button>
        <button
          type="button"
          aria-label="one window on"
          onClick={() => {
            go(1);
          }}
        >
          →
        </button>
        <span role="status">
          {formatCell('out', place)} = {formatNumber(at(out, place))}
        </span>
      </div>
      {transposed ? (
        <p class="note">
          In a transposed convolution the windows cover out: each cell of x is spread over one, and overlaps add up.
        </p>
      ) : (
        <PaddedPlane call={call} axes={axes} place={place} />
      )}
    </section>
  );
}

/** Arrow keys step while any of the buttons has the focus. */
const stepBy = (go: (by: number) => void) => (event: KeyboardEvent) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  go(by);
};

/** A larger picture would not be legible. */
const MOST_CELLS = 1024;

/** One plane of x with its padding around it. Hidden from screen readers: the explanation has the same numbers. */
function PaddedPlane({ call, axes, place }: { call: Call; axes: readonly WindowAxis[]; place: Index }) {
  const { x, weight } = call.inputs;
  if (!x) return null;
  const channel = weight
    ? Math.floor(place[1] / (weight.shape[0] / Number(call.options.groups))) * weight.shape[1]
    : place[1];
  const taps = new Map(tapsOf(axes, place.slice(2)).map(({ input, tap }) => [input.join(), tap]));
  const [rows, columns] = axes.length === 1 ? [undefined, axes[0]] : [axes[0], axes[1]];
  const line = (axis: WindowAxis | undefined) =>
    axis ? Array.from({ length: axis.before + axis.input + axis.after }, (_, i) => i - axis.before) : [undefined];
  if (line(rows).length * line(columns).length > MOST_CELLS) return null;
  return (
    <figure aria-hidden="true">
      <figcaption>{formatCell('x', [place[0], channel])}, with its padding</figcaption>
      <table class="grid padded">
        <tbody>
          {line(rows).map((i) => (
            <tr key={i}>
              {line(columns).map((j) => {
                const input = [i, j].filter((position) => position !== undefined);
                const tap = taps.get(input.join());
                const inside = input.every((position, axis) => position >= 0 && position < axes[axis].input);
                const value = inside ? at(x, [place[0], channel, ...input]) : undefined;
                const factor = tap && weight ? at(weight, [place[1], 0, ...tap]) : undefined;
                return (
                  <td key={j} class={['cell', inside ? '' : 'pad', tap ? 'tap' : ''].join(' ')}>
                    {value === undefined ? '' : formatNumber(value, 3)}
                    {factor !== undefined && <small>×{formatNumber(factor, 3)}</small>}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}
