/** dropout: how much the mask keeps, and the average output over many draws. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Grid } from '../components/grid.js';
import { sumOf } from '../explain/explanation.js';
import { forward } from '../state/answers.js';
import { forwardRequest } from '../state/request.js';
import { call, Refused } from '../state/service.js';
import { setOption, state } from '../state/state.js';
import { formatNumber } from '../tensors/format.js';
import { nest, tensorOf, type Tensor } from '../tensors/tensor.js';
import { Plot } from './plot.js';

const DRAWS = 200;

/** Seeds are drawn from a range that is easy to read; the service accepts up to 2⁵³ − 1. */
const SEEDS = 1_000_000;

interface Tally {
  readonly draws: number;
  readonly sums: readonly number[];
  /** Mean over all cells and draws so far, after each draw. */
  readonly course: readonly number[];
}

const NOTHING: Tally = { draws: 0, sums: [], course: [] };

export function Survival() {
  const [tally, setTally] = useState(NOTHING);
  const drawing = useRef<AbortController>(null);
  const [isDrawing, setIsDrawing] = useState(false);
  const [problem, setProblem] = useState<string>();
  const { inputs, options } = state.value;
  const { seed: _, ...asked } = options;
  const question = JSON.stringify([inputs, asked]);
  useEffect(() => {
    setTally(NOTHING);
    return () => {
      drawing.current?.abort();
    };
  }, [question]);

  const x = tensorOf(inputs.x);
  const training = options.training !== false;
  if (!x) return null;
  const draw = async () => {
    const controller = (drawing.current = new AbortController());
    setIsDrawing(true);
    setProblem(undefined);
    try {
      await drawMany(controller.signal, tally, setTally);
    } catch (error) {
      if (error instanceof Refused) setProblem(error.problem.detail);
      else if (!controller.signal.aborted) throw error;
    } finally {
      setIsDrawing(false);
    }
  };
  const mask = forward.value?.mask;
  const kept = Array.isArray(mask) ? tensorOf(mask) : undefined;
  return (
    <section class="picture" aria-labelledby="survival-title">
      <h2 id="survival-title">What survives</h2>
      <div class="choices">
        <button
          type="button"
          class="primary"
          disabled={!training}
          onClick={() => {
            setOption('seed', Math.floor(Math.random() * SEEDS));
          }}
        >
          Draw another mask
        </button>
        {isDrawing ? (
          <button
            type="button"
            onClick={() => {
              drawing.current?.abort();
            }}
          >
            Stop
          </button>
        ) : (
          <button type="button" disabled={!training} onClick={() => void draw()}>
            Draw {DRAWS} times
          </button>
        )}
        {isDrawing && <progress aria-label="Draws" max={DRAWS} value={tally.draws % DRAWS} />}
        <span role="status">
          {kept ? `This mask keeps ${sumOf(kept.data)} of ${kept.data.length}.` : 'In inference there is no mask.'}
        </span>
      </div>
      {problem !== undefined && (
        <div class="problem" role="alert">
          {problem}
        </div>
      )}
      {tally.draws > 0 && <Average tally={tally} x={x} />}
    </section>
  );
}

async function drawMany(signal: AbortSignal, before: Tally, show: (tally: Tally) => void): Promise<void> {
  const sums = [...before.sums];
  const course = [...before.course];
  let total = sumOf(sums);
  for (let i = 0; i < DRAWS; i++) {
    const { seed: _, ...options } = state.peek().options;
    const { out } = await call(forwardRequest({ ...state.peek(), options }), signal);
    const values = tensorOf(out)?.data ?? [];
    values.forEach((value, cell) => {
      sums[cell] = (sums[cell] ?? 0) + value;
    });
    total += sumOf(values);
    course.push(total / (values.length * (course.length + 1)));
    // Not after every draw: updating the picture takes longer than drawing a mask.
    if (i % 10 === 9) show({ draws: course.length, sums: [...sums], course: [...course] });
  }
}

function Average({ tally, x }: { tally: Tally; x: Tensor }) {
  const mean = sumOf(x.data) / x.data.length;
  const places = tally.course.map((_, i) => i + 1);
  return (
    <div class="pair">
      <figure>
        <figcaption>Average of out over {tally.draws} draws</figcaption>
        <Grid
          name="average"
          tensor={nest(
            tally.sums.map((sum) => sum / tally.draws),
            x.shape,
          )}
        />
      </figure>
      <Plot
        title={`Mean of out, against ${formatNumber(mean)}, the mean of x`}
        unit="draw"
        places={places}
        lines={[
          { label: 'out so far', values: tally.course, colour: 0 },
          { label: 'x', values: places.map(() => mean), colour: 1, dashed: true },
        ]}
      />
    </div>
  );
}
