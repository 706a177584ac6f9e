/** What a person's own implementation gave, and what the service says of it. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { backward, forward } from '../state/answers.js';
import { catalogue } from '../state/catalogue.js';
import type { Case, CheckAnswer, Hidden } from '../state/check.js';
import { checkRequest } from '../state/request.js';
import { call, Refused } from '../state/service.js';
import { change, setTensor, state } from '../state/state.js';
import { ofRank, shapeOf, type Nested } from '../tensors/tensor.js';
import { Busy } from './progress.js';
import { TextEditor } from './text-editor.js';
import { VerdictCard } from './verdict.js';

export function CheckPanel() {
  const { layer, claims, inputs, options, upstream } = state.value;
  const [answer, setAnswer] = useState<CheckAnswer>();
  const [problem, setProblem] = useState<string>();
  const [name, setName] = useState('dx');
  const [since, setSince] = useState<number>();
  const asking = useRef<AbortController>(null);
  // While an option is illegal there are no answers: what is being typed here waits for the next ones.
  const latest = useRef<Record<string, Nested>>(undefined);
  if (forward.value && backward.value) latest.current = { ...forward.value, ...backward.value };
  const right: Record<string, Nested> = latest.current ?? { ...forward.value };
  const claimable = Object.keys(right).filter((each) => Array.isArray(right[each]));
  const question = JSON.stringify([layer, claims, inputs, options, upstream]);

  useEffect(() => {
    setAnswer(undefined);
    setProblem(undefined);
    // A mask is what a claim is judged under, and none by itself.
    if (Object.keys(claims).every((each) => each === 'mask')) return undefined;
    const controller = (asking.current = new AbortController());
    setSince(performance.now());
    const check = async () => {
      try {
        setAnswer(await call<CheckAnswer>(checkRequest(state.peek()), controller.signal));
      } catch (error) {
        if (error instanceof Refused) setProblem(error.problem.detail);
        else if (!controller.signal.aborted) throw error;
      } finally {
        if (asking.current === controller) setSince(undefined);
      }
    };
    void check();
    return () => {
      controller.abort();
    };
  }, [question]);

  const stop = () => {
    asking.current?.abort();
    setProblem('Stopped: nothing has been said of what is yours. Check it again, or with smaller tensors.');
  };

  if (claimable.length === 0) return null;
  const chosen = claimable.includes(name) ? name : claimable[0];
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
      <Busy since={since} what="Checking" stop={stop} />
      <div class="verdicts" aria-live="polite">
        {'mask' in claims && <OwnMask isAlone={Object.keys(claims).length === 1} />}
        {problem !== undefined && <div class="problem">{problem}</div>}
        {answer &&
          Object.entries(answer.tensors).map(([tensor, verdict]) => (
            <VerdictCard key={tensor} name={tensor} verdict={verdict} claim={claims[tensor]} right={right[tensor]} />
          ))}
        {answer?.notes?.map(({ id, explanation }) => (
          <p class="note" key={id}>
            {explanation}
          </p>
        ))}
        {answer && <HiddenMistakes hidden={answer.indistinguishable ?? []} />}
      </div>
    </section>
  );
}

/** A mask is drawn at will, so it can be neither right nor wrong. */
function OwnMask({ isAlone }: { isAlone: boolean }) {
  return (
    <p class="note">
      {isAlone
        ? 'This mask is kept. Now paste the out or dx that you had with it: they are judged under it.'
        : 'Judged under your own mask.'}{' '}
      <button
        type="button"
        aria-label="forget my mask"
        onClick={() => {
          setTensor('claims', 'mask', undefined);
        }}
      >
        Forget it
      </button>
    </p>
  );
}

/** What a claim on this input says nothing of, and a way to an input on which it would. */
function HiddenMistakes({ hidden }: { hidden: readonly Hidden[] }) {
  const [problem, setProblem] = useState<string>();
  if (hidden.length === 0) return null;
  return (
    <details>
      <summary>
        {hidden.length} known {hidden.length === 1 ? 'mistake' : 'mistakes'} would not show on this input
      </summary>
      <ul class="findings">
        {hidden.map((each) => (
          <li key={each.id}>
            {each.id} ({each.tensors.join(', ')}): {each.hidden}{' '}
            {each.try && <ShowIt instead={each.try} failed={setProblem} />}
          </li>
        ))}
      </ul>
      {problem !== undefined && <div class="problem">{problem}</div>}
    </details>
  );
}

interface ShowItProps {
  readonly instead: NonNullable<Hidden['try']>;
  readonly failed: (detail: string) => void;
}

function ShowIt({ instead: { route, body }, failed }: ShowItProps) {
  const show = async () => {
    try {
      take(await call<Case>({ path: route.replace(/^POST /, ''), body }, new AbortController().signal));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      failed(error.problem.detail);
    }
  };
  return (
    <button type="button" onClick={() => void show()}>
      take an input where it shows
    </button>
  );
}

/** A case in the place of what is on the page; claims were about something else. */
function take({ forward: request, backward: upstream = {} }: Case): void {
  const tensors = catalogue.peek().get(state.peek().layer)?.forward.tensors ?? {};
  const inputs = Object.entries(request).filter(([name]) => name in tensors);
  // A mask of the case's own is not for the page, which asks the service for one.
  const options = Object.entries(request).filter(([name]) => !(name in tensors) && name !== 'mask');
  change({
    inputs: Object.fromEntries(inputs) as Record<string, Nested>,
    options: Object.fromEntries(options),
    upstream,
    claims: {},
    pinned: undefined,
  });
}
