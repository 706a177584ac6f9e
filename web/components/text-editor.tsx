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

/** Takes JSON, Python lists, what NumPy prints, and rows of a spreadsheet. */
export function TextEditor({ label, tensor, apply, action = 'Use these numbers' }: TextEditorProps) {
  const given = tensor === undefined ? '' : prettyJson(tensor);
  const [text, setText] = useState(given);
  const [problem, setProblem] = useState<string>();
  // The tensor may change by another way than this text: forgotten, at random, by a link.
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
        placeholder="[[1, 2], [3, 4]], a NumPy print, or cells of a spreadsheet"
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

/** What a person pasted stays as it was pasted. */
function readsAs(text: string, given: string): boolean {
  try {
    return prettyJson(parseTensor(text)) === given;
  } catch (error) {
    if (error instanceof Unreadable) return false;
    throw error;
  }
}
