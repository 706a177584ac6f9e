/** batchnorm: the distribution of each channel's values, before and after. */
import { channelOf } from '../explain/batchnorm.js';
import { sumOf } from '../explain/explanation.js';
import { currentCall, MOST_CELLS } from '../state/explained.js';
import { formatNumber } from '../tensors/format.js';
import { at, type Tensor } from '../tensors/tensor.js';

interface Feature {
  readonly name: string;
  readonly values: readonly number[];
  readonly mean: number;
  readonly deviation: number;
}

/** More would not be legible. */
const MOST_FEATURES = 8;

export function Distributions() {
  const call = currentCall.value;
  const { x } = call?.inputs ?? {};
  const { out } = call?.outputs ?? {};
  if (!call || !x || !out || String(x.shape) !== String(out.shape) || x.data.length > MOST_CELLS) return null;
  const features = (tensor: Tensor): Feature[] =>
    Array.from({ length: Math.min(x.shape[1], MOST_FEATURES) }, (_, c) => {
      const values = channelOf(call, x, c).places.map((place) => at(tensor, place));
      const mean = settledMean(values);
      return {
        name: `channel ${c}`,
        values,
        mean,
        deviation: Math.sqrt(sumOf(values.map((value) => (value - mean) ** 2)) / values.length),
      };
    });
  return (
    <section class="picture" aria-labelledby="distributions-title">
      <h2 id="distributions-title">Before and after</h2>
      <div class="pair">
        <Strips title="x" features={features(x)} />
        <Strips title="out" features={features(out)} />
      </div>
      <p class="note">
        Each dot is a value. The tick is the mean of the channel, and the bar is one standard deviation to either side.
      </p>
    </section>
  );
}

/** The mean; zero if it differs from zero only by rounding. */
function settledMean(values: readonly number[]): number {
  const mean = sumOf(values) / values.length;
  const scale = Math.max(...values.map(Math.abs));
  return Math.abs(mean) < 1e-12 * scale ? 0 : mean;
}

const WIDTH = 420;
const ROW = 44;
const MARGIN = 16;

function Strips({ title, features }: { title: string; features: readonly Feature[] }) {
  const all = features.flatMap(({ values }) => values).filter(Number.isFinite);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const span = high - low || 1;
  const across = (value: number) => MARGIN + ((WIDTH - 2 * MARGIN) * (value - low)) / span;
  const height = features.length * ROW + 24;
  const label = `${title}: ${features.map(({ name, mean, deviation }) => `${name} has mean ${formatNumber(mean)}, standard deviation ${formatNumber(deviation)}`).join('; ')}`;
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label={label} class="strips">
        {features.map(({ name, values, mean, deviation }, i) => {
          const y = i * ROW + ROW / 2 + 8;
          return (
            <g key={name}>
              <text x={MARGIN} y={y - 12}>
                {name}: μ {formatNumber(mean, 3)}, σ {formatNumber(deviation, 3)}
              </text>
              <line class="base" x1={MARGIN} x2={WIDTH - MARGIN} y1={y} y2={y} />
              <line class="deviation" x1={across(mean - deviation)} x2={across(mean + deviation)} y1={y} y2={y} />
              <line class="mean" x1={across(mean)} x2={across(mean)} y1={y - 8} y2={y + 8} />
              {values.map((value, v) => (
                <circle key={v} cx={across(value)} cy={y} r="3.5" />
              ))}
            </g>
          );
        })}
        <text class="end" x={MARGIN} y={height - 2}>
          {formatNumber(low, 3)}
        </text>
        <text class="end" x={WIDTH - MARGIN} y={height - 2} text-anchor="end">
          {formatNumber(high, 3)}
        </text>
      </svg>
    </figure>
  );
}
