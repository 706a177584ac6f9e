import type { CheckAnswer, TensorVerdict } from '../../schemas/check.js';
import { wrongCells } from '../state/check.js';
import { setTensor, state } from '../state/state.js';
import { formatCell, formatNumber } from '../tensors/format.js';
import { tensorOf, type Nested } from '../tensors/tensor.js';
import { Formula } from './formula.js';
import { Grid } from './grid.js';

interface VerdictProps {
  readonly name: string;
  readonly verdict: TensorVerdict;
  readonly tolerance: Pick<CheckAnswer, 'rtol' | 'atol'>;
  readonly claim: Nested | undefined;
  /** The service's own result. */
  readonly right: Nested | undefined;
}

export function VerdictCard({ name, verdict, tolerance, claim, right }: VerdictProps) {
  const { pass, worst, diagnosis, notes, statistics, detail } = verdict;
  return (
    <article class={pass ? 'verdict pass' : 'verdict fail'} aria-label={`verdict on ${name}`}>
      <header>
        <h3>
          {pass ? '✓' : '✗'} {name} {pass ? 'is correct' : 'is wrong'}
        </h3>
        <button
          type="button"
          aria-label={`forget my ${name}`}
          title="Forget it"
          onClick={() => {
            setTensor('claims', name, undefined);
          }}
        >
          ×
        </button>
      </header>
      {detail !== undefined && <p>{detail}</p>}
      <dl>
        <Fact name="largest error" value={verdict.max_absolute_error} />
        <Fact name="relative" value={verdict.max_relative_error} />
        {worst && !pass && (
          <div>
            <dt>worst</dt>
            <dd>
              {formatCell(name, worst.index)}: expected {formatNumber(worst.expected, 6)}, yours{' '}
              {formatNumber(worst.claimed, 6)}
            </dd>
          </div>
        )}
      </dl>
      {diagnosis.map(({ id, explanation, fix, formula }) => (
        <div class="diagnosis" key={explanation}>
          <p>
            <strong>{explanation}</strong>
          </p>
          {formula !== undefined && <Formula tex={formula} display />}
          <p class="fix">{fix}</p>
          <p class="id">{id}</p>
        </div>
      ))}
      {!pass && detail === undefined && diagnosis.length === 0 && (
        <p>No known mistake, and no slip in a formula, explains this.</p>
      )}
      {notes.map(({ id, explanation }) => (
        <p class="note" key={id}>
          {explanation}
        </p>
      ))}
      {!pass && statistics && (
        <ul class="findings">
          {statistics.findings.map((finding) => (
            <li key={finding}>{finding}</li>
          ))}
        </ul>
      )}
      {!pass && claim !== undefined && right !== undefined && (
        <Marked name={name} claim={claim} right={right} statistics={statistics} {...tolerance} />
      )}
    </article>
  );
}

function Fact({ name, value }: { name: string; value: number | string | null }) {
  if (value === null) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{formatNumber(value)}</dd>
    </div>
  );
}

interface MarkedProps extends Pick<CheckAnswer, 'rtol' | 'atol'> {
  readonly name: string;
  readonly claim: Nested;
  readonly right: Nested;
  readonly statistics: TensorVerdict['statistics'];
}

/** The claim, with its wrong cells marked. */
function Marked({ name, claim, right, statistics, rtol, atol }: MarkedProps) {
  const claimed = tensorOf(claim);
  const expected = tensorOf(right);
  const dtype = state.value.options.dtype === 'float32' ? 'float32' : 'float64';
  if (!claimed || !expected || String(claimed.shape) !== String(expected.shape)) return null;
  return (
    <Grid
      name={name}
      title={`my ${name}`}
      tensor={claim}
      marks={wrongCells(claimed, expected, { statistics, rtol, atol, dtype })}
    />
  );
}
