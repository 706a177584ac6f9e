import type { LayerEntry, TensorEntry } from '../state/catalogue.js';
import { forward } from '../state/answers.js';
import { shapeOfAbsent } from '../layers/page.js';
import { page, setTensor, state } from '../state/state.js';
import { filled, randomTensor } from '../tensors/random.js';
import { flat, shapeOf, type Nested } from '../tensors/tensor.js';
import { Stacks } from './stacks.js';
import { TensorEditor } from './tensor-editor.js';

/** The inputs of forward. */
export function Inputs({ entry }: { entry: LayerEntry }) {
  const { tensors } = entry.forward;
  const { inputs } = state.value;
  const add = (name: string) => {
    const { added, examples } = page.value;
    // A required tensor is missing only if a link did not contain it.
    if (tensors[name].required) setTensor('inputs', name, examples[0].inputs[name]);
    else {
      const { shape, value } = added?.(name, inputs) ?? { shape: shapeOfAbsent(name, entry, inputs), value: 0 };
      setTensor('inputs', name, filled(shape, value));
    }
  };
  const given = Object.entries(tensors).filter(([name]) => name in inputs);
  return (
    <Stacks
      cards={[
        ...given.map(([name, tensor]) => ({
          tensor: inputs[name],
          card: <TensorEditor key={name} kind="inputs" name={name} tensor={inputs[name]} entry={tensor} />,
        })),
        { tensor: undefined, card: <Absent key="" tensors={tensors} there={inputs} add={add} /> },
      ]}
    />
  );
}

/** The upstream gradients, of the outputs in the service's answer. */
export function Upstream({ entry }: { entry: LayerEntry }) {
  const { tensors } = entry.backward;
  const { upstream } = state.value;
  const set = (name: string, make: (shape: readonly number[]) => Nested) => {
    const output = forward.value?.[name.slice(1)];
    if (output !== undefined) setTensor('upstream', name, make(shapeOf(output)));
  };
  return (
    <>
      {Object.entries(tensors).map(([name, tensor]) =>
        name in upstream ? (
          <TensorEditor
            key={name}
            kind="upstream"
            name={name}
            tensor={upstream[name]}
            entry={tensor}
            tools={
              <p class="presets">
                <button
                  type="button"
                  onClick={() => {
                    set(name, (shape) => filled(shape, 1));
                  }}
                >
                  ones
                </button>
                {flat(upstream[name]).every((value) => value === 1) && (
                  <span class="warning" role="status">
                    Ones hide mistakes: batchnorm’s dx becomes zero even if it is wrong. Use random numbers instead.
                  </span>
                )}
              </p>
            }
          />
        ) : null,
      )}
      <Absent
        tensors={tensors}
        there={upstream}
        add={(name) => {
          set(name, (shape) => randomTensor(shape));
        }}
      />
    </>
  );
}

interface AbsentProps {
  readonly tensors: Readonly<Record<string, TensorEntry>>;
  readonly there: Readonly<Record<string, Nested>>;
  readonly add: (name: string) => void;
}

/** Buttons to add the tensors that are not given. */
function Absent({ tensors, there, add }: AbsentProps) {
  const absent = Object.entries(tensors).filter(([name]) => !(name in there));
  if (absent.length === 0) return null;
  return (
    <p class="absent">
      {absent.map(([name, { description }]) => (
        <button
          type="button"
          key={name}
          title={description}
          aria-label={`add ${name}`}
          onClick={() => {
            add(name);
          }}
        >
          + {name}
        </button>
      ))}
    </p>
  );
}
