/** Shows what the service refused next to where it was typed. */
import { computed } from '@preact/signals';
import { problem } from '../state/answers.js';

interface Place {
  readonly name: string;
  /** Index of a tensor's cell, or of an entry of an array. */
  readonly index: readonly number[];
  readonly detail: string;
}

const places = computed((): readonly Place[] =>
  (problem.value?.problem.errors ?? []).map(({ pointer, detail }) => {
    const tokens = pointer.split('/').slice(1);
    const [name = '', ...index] = tokens[0] === 'forward' ? tokens.slice(1) : tokens;
    return { name, index: index.map(Number), detail };
  }),
);

export function problemsOf(name: string): readonly Place[] {
  return places.value.filter((place) => place.name === name);
}

/** Without the JSON Pointer's slash and prefix, because the sentence is shown at its place. */
const sentence = (detail: string): string => detail.replace(/^\/(forward\/)?/, '');

export function ProblemNote({ name, id }: { name: string; id: string }) {
  const found = problemsOf(name);
  return (
    <div class="problem" id={id} role={found.length > 0 ? 'alert' : undefined} hidden={found.length === 0}>
      {found.map(({ detail }) => (
        <p key={detail}>{sentence(detail)}</p>
      ))}
    </div>
  );
}

/** A problem without a place: the service cannot be reached, or the request exceeds a limit. */
export function GeneralProblem() {
  const now = problem.value?.problem;
  if (!now || (now.errors?.length ?? 0) > 0) return null;
  return (
    <div class="problem general" role="alert">
      <strong>{now.title}</strong>
      <p>{now.detail}</p>
    </div>
  );
}
