import { backward, forward, problem } from '../state/answers.js';
import type { Direction } from '../state/request.js';
import { formatShape } from '../tensors/format.js';
import { shapeOf, type Nested } from '../tensors/tensor.js';
import { Grid } from './grid.js';
import { Stacks } from './stacks.js';

/** The service's answer: outputs or gradients. */
export function Answers({ direction }: { direction: Direction }) {
  const answer = (direction === 'forward' ? forward : backward).value;
  if (!answer)
    return (
      <p class="waiting" role="status">
        {problem.value ? 'No answer: see the error on this page.' : 'Computing …'}
      </p>
    );
  const tensors = Object.entries(answer).filter(([, value]) => Array.isArray(value));
  return (
    <Stacks
      cards={tensors.map(([name, tensor]) => ({ tensor, card: <AnswerCard key={name} name={name} tensor={tensor} /> }))}
    />
  );
}

function AnswerCard({ name, tensor }: { name: string; tensor: Nested }) {
  const title = `answer-${name}`;
  return (
    <section class="card answer" aria-labelledby={title}>
      <header>
        <h3 id={title}>{name}</h3>
        <span class="shape">{formatShape(shapeOf(tensor))}</span>
      </header>
      <Grid name={name} tensor={tensor} explained />
    </section>
  );
}
