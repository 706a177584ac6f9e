import { useState } from 'preact/hooks';
import { parseNumber } from '../tensors/parse.js';
import type { LayerEntry, OptionEntry } from '../state/catalogue.js';
import { setOption, state } from '../state/state.js';
import { ProblemNote, problemsOf } from './problems.js';

/** A field for each option in the catalogue. */
export function OptionsForm({ entry }: { entry: LayerEntry }) {
  const options = { ...entry.forward.options, dtype: entry.forward.request.dtype };
  return (
    <form
      class="options"
      aria-label="Options"
      onSubmit={(event) => {
        event.preventDefault();
      }}
    >
      {Object.entries(options).map(([name, option]) => (
        <Field key={name} name={name} option={option} />
      ))}
    </form>
  );
}

function Field({ name, option }: { name: string; option: OptionEntry }) {
  const id = `option-${name}`;
  const described = `${id}-about ${id}-problem`;
  const attributes = {
    id,
    'aria-describedby': described,
    'aria-invalid': problemsOf(name).length > 0,
  };
  const value = name in state.value.options ? state.value.options[name] : option.default;
  const set = (next: unknown) => {
    setOption(name, next === option.default ? undefined : next);
  };
  const choices = choicesOf(option);
  return (
    <div class="field">
      <label for={id}>{name}</label>
      {choices ? (
        <select
          {...attributes}
          value={JSON.stringify(value)}
          onChange={({ currentTarget }) => {
            set(JSON.parse(currentTarget.value));
          }}
        >
          {choices.map((choice) => (
            <option key={String(choice)} value={JSON.stringify(choice)}>
              {String(choice)}
            </option>
          ))}
        </select>
      ) : (
        <TextField attributes={attributes} value={value} set={set} />
      )}
      <p class="about" id={`${id}-about`}>
        {option.description} Expected: {option.expected}.
      </p>
      <ProblemNote name={name} id={`${id}-problem`} />
    </div>
  );
}

interface TextFieldProps {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly value: unknown;
  readonly set: (value: unknown) => void;
}

/** Keeps the text while it is typed: "0." is already a number, but not yet the intended one. */
function TextField({ attributes, value, set }: TextFieldProps) {
  const [draft, setDraft] = useState<string>();
  return (
    <input
      {...attributes}
      type="text"
      autocomplete="off"
      spellcheck={false}
      placeholder="none"
      value={draft ?? optionText(value)}
      onInput={({ currentTarget }) => {
        setDraft(currentTarget.value);
        set(readOption(currentTarget.value));
      }}
      onBlur={() => {
        setDraft(undefined);
      }}
    />
  );
}

/** The values of an option, if it has a fixed set of them. */
function choicesOf({ schema }: OptionEntry): readonly unknown[] | undefined {
  if (schema.type === 'boolean') return [true, false];
  const literals = schema.anyOf?.map((each) => each.const);
  return literals?.every((literal) => literal !== undefined) ? literals : undefined;
}

function optionText(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value).replaceAll(',', ', ');
}

/** Text that cannot be read is sent as it is, and the service says what it expects. */
function readOption(text: string): unknown {
  const bare = text.trim();
  if (bare === '') return undefined;
  const number = parseNumber(bare);
  if (typeof number === 'number') return number;
  for (const json of [bare, `[${bare}]`])
    try {
      return JSON.parse(json) as unknown;
    } catch {
      // A word, such as "same".
    }
  return bare;
}
