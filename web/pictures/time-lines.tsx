/** rnn and lstm: gates, states and gradients as lines over time. */
import { useState } from 'preact/hooks';
import {
  arriving,
  layoutOf,
  placed,
  productsOf,
  range,
  traceBackward,
  traceForward,
  type BackStep,
  type Layout,
  type Step,
} from '../explain/trace.js';
import { MOST_PRODUCTS, type Call } from '../explain/explanation.js';
import { currentCall } from '../state/explained.js';
import { formatNumber } from '../tensors/format.js';
import { at } from '../tensors/tensor.js';
import { Plot, type Line } from './plot.js';

export function TimeLines() {
  const [sequence, setSequence] = useState(0);
  const [direction, setDirection] = useState(0);
  const [unit, setUnit] = useState(0);
  const call = currentCall.value;
  const layout = call && layoutOf(call);
  const width = call?.outputs.out?.shape[2];
  if (!call || !layout || width !== layout.H * layout.directions.length) return null;
  if (productsOf(layout) > MOST_PRODUCTS) return null;
  const n = Math.min(sequence, layout.N - 1);
  const d = Math.min(direction, layout.directions.length - 1);
  const h = Math.min(unit, layout.H - 1);
  const steps = traceForward(call, layout, n, d);
  const back = traceBackward(call, layout, d, steps, arriving(call, layout, n, d));
  const isRight = agreesWithService(call, layout, n, d, steps);
  return (
    <section class="picture" aria-labelledby="lines-title">
      <h2 id="lines-title">Over time</h2>
      <div class="choices">
        <Choice label="Sequence" of={range(layout.N)} value={n} set={setSequence} />
        <Choice label="Direction" of={layout.directions} value={d} set={setDirection} />
        <Choice label="Hidden unit" of={range(layout.H)} value={h} set={setUnit} />
      </div>
      {isRight ? (
        <Lines steps={steps} back={back.steps} layout={layout} call={call} n={n} h={h} />
      ) : (
        <p class="note">The page computes states that differ from the service’s, so the lines are not shown.</p>
      )}
    </section>
  );
}

/** The page computes the gates; they are shown only if the resulting states agree with the service's. */
function agreesWithService(call: Call, layout: Layout, n: number, d: number, steps: readonly Step[]): boolean {
  const { out } = call.outputs;
  const tolerance = call.options.dtype === 'float32' ? 1e-4 : 1e-9;
  return (
    out !== undefined &&
    steps.every(({ t, h }) =>
      h.every((value, j) => Math.abs(value - at(out, placed(layout, n, t, d * layout.H + j))) <= tolerance),
    )
  );
}

interface LinesProps {
  readonly steps: readonly Step[];
  readonly back: readonly BackStep[];
  readonly layout: Layout;
  readonly call: Call;
  readonly n: number;
  readonly h: number;
}

function Lines({ steps, back, layout, call, n, h }: LinesProps) {
  // A reverse pass starts at the end, but the lines run in time order.
  const ordered = steps.map((step, s) => ({ ...step, back: back[s] })).sort((a, b) => a.t - b.t);
  const { H, gates, I } = layout;
  const { dx } = call.gradients;
  const line = (
    label: string,
    colour: number,
    of: (step: (typeof ordered)[number]) => number,
    dashed = false,
  ): Line => ({
    label,
    colour,
    values: ordered.map(of),
    dashed,
  });
  const gated = gates === 4;
  const states = [
    line('x', 5, ({ x }) => x[0], true),
    line('h', 0, (step) => step.h[h]),
    ...(gated ? [line('c', 1, ({ c }) => c[h])] : []),
  ];
  const gateLines = gated
    ? [
        line('i, input', 2, ({ activations }) => activations[h]),
        line('f, forget', 1, ({ activations }) => activations[H + h]),
        line('g, cell', 3, ({ activations }) => activations[2 * H + h], true),
        line('o, output', 4, ({ activations }) => activations[3 * H + h]),
      ]
    : [];
  const gradients = [
    line('dh', 0, (step) => step.back.dh[h]),
    ...(gated ? [line('dc', 1, (step) => step.back.dc[h])] : []),
    ...(dx
      ? range(Math.min(I, 2)).map((i) =>
          line(I > 1 ? `dx ${i}` : 'dx', 4 + i, ({ t }) => at(dx, placed(layout, n, t, i)), true),
        )
      : []),
  ];
  const places = ordered.map(({ t }) => t);
  return (
    <>
      <div class="pair">
        <Plot title="States" unit="t" places={places} lines={states} />
        {gated && <Plot title="Gates" unit="t" places={places} lines={gateLines} />}
        <Plot title="Gradients" unit="t" places={places} lines={gradients} />
      </div>
      <details>
        <summary>The same as a table</summary>
        <div class="scroll" tabIndex={0} role="region" aria-label="States, gates and gradients over time">
          <table class="numbers">
            <thead>
              <tr>
                <th scope="col">t</th>
                {[...states, ...gateLines, ...gradients].map(({ label }) => (
                  <th scope="col" key={label}>
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {places.map((t, s) => (
                <tr key={t}>
                  <th scope="row">{t}</th>
                  {[...states, ...gateLines, ...gradients].map(({ label, values }) => (
                    <td key={label}>{formatNumber(values[s])}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly of: readonly (string | number)[];
  readonly value: number;
  readonly set: (value: number) => void;
}

function Choice({ label, of, value, set }: ChoiceProps) {
  if (of.length < 2) return null;
  return (
    <label>
      {label}{' '}
      <select
        value={value}
        onChange={({ currentTarget }) => {
          set(Number(currentTarget.value));
        }}
      >
        {of.map((each, i) => (
          <option key={each} value={i}>
            {each}
          </option>
        ))}
      </select>
    </label>
  );
}
