import { randomTensor } from '../tensors/random.js';
import { shapeOf } from '../tensors/tensor.js';
import { LONGEST, writeAddress } from '../state/address.js';
import { change, page, state, stateOf } from '../state/state.js';
import { pointed } from '../state/explained.js';

/** Examples to start from. */
export function Examples() {
  const { examples, name } = page.value;
  return (
    <div class="examples" role="group" aria-label="Examples">
      <span class="label">Try</span>
      {examples.map((example) => (
        <button
          type="button"
          key={example.name}
          onClick={() => {
            pointed.value = undefined;
            state.value = stateOf(name, example);
          }}
        >
          {example.name}
        </button>
      ))}
      <button type="button" onClick={randomise}>
        Random numbers
      </button>
      {writeAddress(state.value).length > LONGEST && (
        <span class="label" role="status">
          There are too many numbers for the address: a link shows the first example instead.
        </span>
      )}
    </div>
  );
}

/** Fills every tensor with random values, except lengths and variances, which might then be refused. */
function randomise(): void {
  const { inputs, upstream } = state.value;
  const anew = (tensors: typeof inputs) =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [
        name,
        KEPT.includes(name) ? tensor : randomTensor(shapeOf(tensor)),
      ]),
    );
  change({ inputs: anew(inputs), upstream: anew(upstream) });
}

const KEPT = ['sequence_lengths', 'running_var'];
