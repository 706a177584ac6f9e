import { useState } from 'preact/hooks';
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
  const [text, setText] = useState(tensor === undefined ? '' : prettyJson(tensor));
  const [problem, setProblem] = useState<string>();
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
