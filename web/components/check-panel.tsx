/** What a person's own implementation gave, and what the service says of it. */
import { useEffect, useState } from 'preact/hooks';
import { backward, forward, tensorsOf } from '../state/answers.js';
import { checkRequest } from '../state/request.js';
import { call, Refused } from '../state/service.js';
import { setTensor, state } from '../state/state.js';
import { formatCell, formatNumber } from '../tensors/format.js';
import { indicesOf, ofRank, shapeOf, tensorOf, type Nested, type Tensor } from '../tensors/tensor.js';
import { Grid } from './grid.js';
import { TextEditor } from './text-editor.js';

interface Verdict {
  readonly pass: boolean;
  readonly max_absolute_error?: number | string;
  readonly max_relative_error?: number | string;
  readonly worst?: {
    readonly index: readonly number[];
    readonly expected: number | string;
    readonly claimed: number | string;
  };
  readonly diagnosis?: readonly { readonly id: string; readonly explanation: string; readonly fix: string }[];
  readonly indistinguishable?: readonly (string | { readonly explanation?: string; readonly id?: string })[];
  readonly notes?: readonly string[];
  readonly statistics?: Readonly<Record<string, unknown>>;
  readonly detail?: string;
}

interface CheckAnswer {
  readonly pass: boolean;
  readonly tensors: Readonly<Record<string, Verdict>>;
  readonly notes?: readonly string[];
}

export function CheckPanel() {
  const { layer, claims, inputs, options, upstream } = state.value;
  const [answer, setAnswer] = useState<CheckAnswer>();
  const [problem, setProblem] = useState<string>();
  const right: Record<string, Nested> = { ...forward.value, ...backward.value };
  const claimable = Object.keys(right).filter((name) => Array.isArray(right[name]));
  const [name, setName] = useState('dx');
  const chosen = claimable.includes(name) ? name : claimable[0];
  const question = JSON.stringify([layer, claims, inputs, options, upstream]);

  useEffect(() => {
    setAnswer(undefined);
    setProblem(undefined);
    if (Object.keys(claims).length === 0) return undefined;
    const controller = new AbortController();
    call<CheckAnswer>(checkRequest(state.peek()), controller.signal).then(setAnswer, (error: unknown) => {
      if (error instanceof Refused) setProblem(error.problem.detail);
      else if (!controller.signal.aborted) throw error;
    });
    return () => {
      controller.abort();
    };
  }, [question]);

  if (claimable.length === 0) return null;
  return (
    <section class="check" aria-labelledby="check-title">
      <h2 id="check-title">Check mine</h2>
      <p class="note">
        Paste what your own implementation gives for these inputs, and read what went wrong, if anything did.
      </p>
      <div class="claim">
        <label for="claim-name">Mine is</label>{' '}
        <select
          id="claim-name"
          value={chosen}
          onChange={({ currentTarget }) => {
            setName(currentTarget.value);
          }}
        >
          {claimable.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
        <TextEditor
          key={`${layer} ${chosen}`}
          label={`my ${chosen}`}
          tensor={claims[chosen]}
          action="Check it"
          apply={(value) => {
            setTensor('claims', chosen, ofRank(value, shapeOf(right[chosen]).length));
          }}
        />
      </div>
      <div aria-live="polite">
        {problem !== undefined && <div class="problem">{problem}</div>}
        {answer &&
          Object.entries(answer.tensors).map(([tensor, verdict]) => (
            <VerdictCard key={tensor} name={tensor} verdict={verdict} claim={claims[tensor]} right={right[tensor]} />
          ))}
        {answer?.notes?.map((note) => (
          <p class="note" key={note}>
            {note}
          </p>
        ))}
      </div>
    </section>
  );
}

interface VerdictProps {
  readonly name: string;
  readonly verdict: Verdict;
  readonly claim: Nested | undefined;
  readonly right: Nested | undefined;
}

function VerdictCard({ name, verdict, claim, right }: VerdictProps) {
  const { pass, worst, diagnosis = [], notes = [], indistinguishable = [], statistics, detail } = verdict;
  return (
    <article class={pass ? 'verdict pass' : 'verdict fail'}>
      <h3>
        {pass ? '✓' : '✗'} {name} {pass ? 'is right' : 'is wrong'}
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
      </h3>
      {detail !== undefined && <p>{detail}</p>}
      <dl>
        <Fact name="largest error" value={verdict.max_absolute_error} />
        <Fact name="relative" value={verdict.max_relative_error} />
        {worst && !pass && (
          <>
            <dt>worst</dt>
            <dd>
              {formatCell(name, worst.index)}: expected {formatNumber(worst.expected, 6)}, yours{' '}
              {formatNumber(worst.claimed, 6)}
            </dd>
          </>
        )}
      </dl>
      {diagnosis.map(({ id, explanation, fix }) => (
        <div class="diagnosis" key={id}>
          <p>
            <strong>{explanation}</strong>
          </p>
          <p class="fix">{fix}</p>
          <p class="id">{id}</p>
        </div>
      ))}
      {!pass && diagnosis.length === 0 && <p>No known mistake gives this.</p>}
      {notes.map((note) => (
        <p class="note" key={note}>
          {note}
        </p>
      ))}
      {indistinguishable.length > 0 && (
        <p class="note">
          This input cannot tell apart:{' '}
          {indistinguishable
            .map((each) => (typeof each === 'string' ? each : (each.explanation ?? each.id ?? '')))
            .join('; ')}
        </p>
      )}
      {!pass && statistics && <Statistics statistics={statistics} />}
      {!pass && claim !== undefined && right !== undefined && <Marked name={name} claim={claim} right={right} />}
    </article>
  );
}

function Fact({ name, value }: { name: string; value: number | string | undefined }) {
  if (value === undefined) return null;
  return (
    <>
      <dt>{name}</dt>
      <dd>{formatNumber(value)}</dd>
    </>
  );
}

function Statistics({ statistics }: { statistics: Readonly<Record<string, unknown>> }) {
  const told = Object.entries(statistics).filter(([, value]) => value !== null && String(value) !== '');
  return (
    <dl class="statistics">
      {told.map(([name, value]) => (
        <>
          <dt>{name.replaceAll('_', ' ')}</dt>
          <dd>
            {typeof value === 'number'
              ? formatNumber(value)
              : typeof value === 'string'
                ? value
                : JSON.stringify(value)}
          </dd>
        </>
      ))}
    </dl>
  );
}

/** The claim, its wrong cells marked by comparison with the answer that the page has. */
function Marked({ name, claim, right }: { name: string; claim: Nested; right: Nested }) {
  const claimed = tensorOf(claim);
  const expected = tensorsOf({ right }).right;
  if (!claimed || String(claimed.shape) !== String(expected?.shape)) return null;
  return (
    <div class="card">
      <header>
        <h4>yours</h4>
      </header>
      <Grid
        name={`my ${name}`}
        tensor={claim}
        marks={wrongCells(claimed, expected as Tensor, state.value.options.dtype)}
      />
    </div>
  );
}

/** The tolerances that a check has by itself. */
const TOLERANCES = { float64: [1e-6, 1e-9], float32: [1e-4, 1e-6] } as const;

export function wrongCells(claimed: Tensor, expected: Tensor, dtype: unknown): Map<string, string> {
  const [relative, absolute] = TOLERANCES[dtype === 'float32' ? 'float32' : 'float64'];
  const wrong = new Map<string, string>();
  indicesOf(expected.shape).forEach((index, i) => {
    const [mine, right] = [claimed.data[i], expected.data[i]];
    if (Object.is(mine, right) || Math.abs(mine - right) <= absolute + relative * Math.abs(right)) return;
    wrong.set(index.join(), `expected ${formatNumber(right, 6)}`);
  });
  return wrong;
}
