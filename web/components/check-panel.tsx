/** The results of a person's implementation, and the service's verdict on them. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { backward, forward } from '../state/answers.js';
import { catalogue } from '../state/catalogue.js';
import type { CheckAnswer, HiddenMistake } from '../../schemas/check.js';
import type { Case } from '../state/check.js';
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
  // While an option is invalid, there are no answers: the latest ones keep this panel, and what is typed in it.
  const latest = useRef<Record<string, Nested>>(undefined);
  if (forward.value && backward.value) latest.current = { ...forward.value, ...backward.value };
  const right: Record<string, Nested> = latest.current ?? { ...forward.value };
  const claimable = Object.keys(right).filter((each) => Array.isArray(right[each]));
  const question = JSON.stringify([layer, claims, inputs, options, upstream]);

  useEffect(() => {
    setAnswer(undefined);
    setProblem(undefined);
    // A mask is not a claim: the claims are checked with it.
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
    setProblem('Stopped before there was a verdict. Check again, or use smaller tensors.');
  };

  if (claimable.length === 0) return null;
  const chosen = claimable.includes(name) ? name : claimable[0];
  return (
    <section class="check" aria-labelledby="check-title">
      <h2 id="check-title">Check mine</h2>
      <p class="note">
        Paste the results of your own implementation for these inputs to see whether they are correct, and if not, why.
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
            <VerdictCard
              key={tensor}
              name={tensor}
              verdict={verdict}
              tolerance={answer}
              claim={claims[tensor]}
              right={right[tensor]}
            />
          ))}
        {answer?.notes.map(({ id, explanation }) => (
          <p class="note" key={id}>
            {explanation}
          </p>
        ))}
        {answer && <HiddenMistakes hidden={answer.indistinguishable} />}
      </div>
    </section>
  );
}

/** A mask is random, so it can be neither correct nor wrong. */
function OwnMask({ isAlone }: { isAlone: boolean }) {
  return (
    <p class="note">
      {isAlone ? 'Mask saved. Now paste the out or dx that you computed with it.' : 'Checked with your own mask.'}{' '}
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

/** Mistakes that this input cannot reveal, each with a button for an input that does. */
function HiddenMistakes({ hidden }: { hidden: readonly HiddenMistake[] }) {
  const [problem, setProblem] = useState<string>();
  if (hidden.length === 0) return null;
  return (
    <details>
      <summary>
        {hidden.length} known {hidden.length === 1 ? 'mistake' : 'mistakes'} cannot be detected on this input
      </summary>
      <ul class="findings">
        {hidden.map((each) => (
          <li key={each.id}>
            {each.id} ({each.tensors.join(', ')}): {each.hidden} <ShowIt instead={each.try} failed={setProblem} />
          </li>
        ))}
      </ul>
      {problem !== undefined && <div class="problem">{problem}</div>}
    </details>
  );
}

interface ShowItProps {
  readonly instead: HiddenMistake['try'];
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
      use an input that reveals it
    </button>
  );
}

/** Replaces the state of the page by a case; claims belong to the old inputs. */
function take({ forward: request, backward: upstream = {} }: Case): void {
  const tensors = catalogue.peek().get(state.peek().layer)?.forward.tensors ?? {};
  const inputs = Object.entries(request).filter(([name]) => name in tensors);
  // The page lets the service draw a mask, so it does not use that of the case.
  const options = Object.entries(request).filter(([name]) => !(name in tensors) && name !== 'mask');
  change({
    inputs: Object.fromEntries(inputs) as Record<string, Nested>,
    options: Object.fromEntries(options),
    upstream,
    claims: {},
    pinned: undefined,
  });
}
