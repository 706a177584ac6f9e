/** Edits a tensor: cell by cell, as text, by its shape, or with random numbers. */
import { useState } from 'preact/hooks';
import type { TensorEntry } from '../state/catalogue.js';
import { setTensor, type Tensors } from '../state/state.js';
import { parseTensor, Unreadable } from '../tensors/parse.js';
import { randomNumber, randomTensor } from '../tensors/random.js';
import { ofRank, resized, shapeOf, sizeOf, withCell, type Nested, type Shape } from '../tensors/tensor.js';
import { parseNumber } from '../tensors/parse.js';
import { Grid } from './grid.js';
import { ProblemNote } from './problems.js';
import { TextEditor } from './text-editor.js';

interface TensorEditorProps {
  readonly kind: Exclude<Tensors, 'claims'>;
  readonly name: string;
  readonly tensor: Nested;
  readonly entry: TensorEntry;
  readonly tools?: preact.ComponentChildren;
}

export function TensorEditor({ kind, name, tensor, entry, tools }: TensorEditorProps) {
  const [asText, setAsText] = useState(false);
  const [unreadable, setUnreadable] = useState<string>();
  const shape = shapeOf(tensor);
  const set = (value: Nested | undefined) => {
    setUnreadable(undefined);
    setTensor(kind, name, value);
  };
  /** One number goes into its cell; several replace the whole tensor. */
  const paste = (event: ClipboardEvent) => {
    const text = event.clipboardData?.getData('text/plain') ?? '';
    if (parseNumber(text) !== undefined) return;
    event.preventDefault();
    try {
      set(ofRank(parseTensor(text), shape.length));
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      setUnreadable(`The pasted text cannot be read. ${error.message}`);
    }
  };
  const title = `card-${name}`;
  return (
    <section class="card" aria-labelledby={title}>
      <header>
        <h3 id={title} title={entry.description}>
          {name}
        </h3>
        <ShapeField
          name={name}
          shape={shape}
          resize={(next) => {
            set(resizedTo(tensor, next));
          }}
        />
        <div class="tools">
          <button
            type="button"
            aria-label={`${name} at random`}
            title="Random numbers"
            onClick={() => {
              set(anew(entry, tensor));
            }}
          >
            ⚄
          </button>
          <button
            type="button"
            aria-label={`${name} as text`}
            title="As text: paste NumPy, JSON or a spreadsheet"
            aria-pressed={asText}
            onClick={() => {
              setAsText(!asText);
            }}
          >
            text
          </button>
          {!entry.required && (
            <button
              type="button"
              aria-label={`without ${name}`}
              title="Remove"
              onClick={() => {
                set(undefined);
              }}
            >
              ×
            </button>
          )}
        </div>
      </header>
      {tools}
      {asText ? (
        <TextEditor
          label={`${name} as text`}
          tensor={tensor}
          apply={(value) => {
            set(ofRank(value, shape.length));
            setAsText(false);
          }}
        />
      ) : (
        <div onPaste={paste}>
          <Grid
            name={name}
            tensor={tensor}
            onType={(index, value) => {
              set(withCell(tensor, index, value));
            }}
          />
        </div>
      )}
      <div class="problem" role="alert" hidden={unreadable === undefined}>
        {unreadable}
      </div>
      <ProblemNote name={name} id={`problem-${name}`} />
    </section>
  );
}

/** Random lengths of sequences would be invalid, so all of them become one step. */
function anew({ element }: TensorEntry, tensor: Nested): Nested {
  return element === 'integer' ? resized([], shapeOf(tensor), () => 1) : randomTensor(shapeOf(tensor));
}

/** Keeps the values that are in both shapes, if both have the same rank. */
function resizedTo(tensor: Nested, shape: Shape): Nested {
  return shapeOf(tensor).length === shape.length ? resized(tensor, shape, () => randomNumber()) : randomTensor(shape);
}

/** Maximum number of elements: far more than a page can show, but still created in a moment. */
const LARGEST = 100_000;

function ShapeField({ name, shape, resize }: { name: string; shape: Shape; resize: (shape: Shape) => void }) {
  const [draft, setDraft] = useState<string>();
  const text = shape.join(', ');
  const commit = () => {
    setDraft(undefined);
    const next = (draft ?? text)
      .split(/[^\d]+/)
      .filter(Boolean)
      .map(Number);
    const fits = next.length > 0 && next.length <= 5 && next.every((size) => size > 0) && sizeOf(next) <= LARGEST;
    if (fits && String(next) !== String(shape)) resize(next);
  };
  return (
    <input
      class="shape"
      type="text"
      aria-label={`shape of ${name}`}
      title="Shape: edit it to resize the tensor"
      size={Math.max(1, (draft ?? text).length)}
      value={draft ?? text}
      onInput={({ currentTarget }) => {
        setDraft(currentTarget.value);
      }}
      onBlur={commit}
      onKeyDown={({ key }) => {
        if (key === 'Enter') commit();
      }}
    />
  );
}
