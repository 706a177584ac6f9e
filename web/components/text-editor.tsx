import { useEffect, useState } from 'preact/hooks';
import { parseTensor, Unreadable } from '../tensors/parse.js';
import type { Nested } from '../tensors/tensor.js';
import { prettyJson } from '../snippets/literal.js';

interface TextEditorProps {
  readonly label: string;
  readonly tensor: Nested | undefined;
  readonly apply: (tensor: Nested) => void;
  readonly action?: string;
}

/** Accepts JSON, Python lists, NumPy output, and rows of a spreadsheet. */
export function TextEditor({ label, tensor, apply, action = 'Use these numbers' }: TextEditorProps) {
  const given = tensor === undefined ? '' : prettyJson(tensor);
  const [text, setText] = useState(given);
  const [problem, setProblem] = useState<string>();
  // The tensor may change by other means than this text: it is removed, filled at random, or set by a link.
  useEffect(() => {
    if (readsAs(text, given)) return;
    setText(given);
    setProblem(undefined);
  }, [given]);
  const read = () => {
    try {
      apply(parseTensor(text));
      setProblem(undefined);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      setProblem(error.message);
    }
  };
  return (
    <div class="text-editor">
      <textarea
        aria-label={label}
        rows={6}
        spellcheck={false}
        placeholder="[[1, 2], [3, 4]], NumPy output, or cells of a spreadsheet"
        value={text}
        onInput={({ currentTarget }) => {
          setText(currentTarget.value);
        }}
      />
      {problem !== undefined && (
        <div class="problem" role="alert">
          {problem}
        </div>
      )}
      <button type="button" class="primary" onClick={read}>
        {action}
      </button>
    </div>
  );
}

/** Whether the text already has the values of the tensor: then it stays as a person pasted it. */
function readsAs(text: string, given: string): boolean {
  try {
    return prettyJson(parseTensor(text)) === given;
  } catch (error) {
    if (error instanceof Unreadable) return false;
    throw error;
  }
}
