import { useState } from 'preact/hooks';
import { forward } from '../state/answers.js';
import { backwardRequest, checkRequest, forwardRequest, type Direction } from '../state/request.js';
import { state } from '../state/state.js';
import { snippets } from '../snippets/snippets.js';

/** The request behind the numbers on the page, for copying. */
export function RequestPanel() {
  const [language, setLanguage] = useState(snippets[0]);
  const [asked, setAsked] = useState<Direction | 'check'>('forward');
  const [copied, setCopied] = useState(false);
  const seed = forward.value?.seed;
  const options = seed === undefined ? state.value.options : { ...state.value.options, seed };
  const isChecked = Object.keys(state.value.claims).some((name) => name !== 'mask');
  const direction = asked === 'check' && !isChecked ? 'forward' : asked;
  const request =
    direction === 'forward'
      ? forwardRequest({ ...state.value, options })
      : direction === 'backward'
        ? backwardRequest(state.value, options)
        : checkRequest(state.value);
  const text = language.write(new URL('.', location.href).href.replace(/\/$/, ''), request);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => {
      setCopied(false);
    }, 2000);
  };
  return (
    <section class="request" aria-labelledby="request-title">
      <h2 id="request-title">The request behind it</h2>
      <div class="choices">
        <div role="group" aria-label="Route">
          {(['forward', 'backward', ...(isChecked ? (['check'] as const) : [])] as const).map((each) => (
            <button
              type="button"
              key={each}
              aria-pressed={each === direction}
              onClick={() => {
                setAsked(each);
              }}
            >
              {each}
            </button>
          ))}
        </div>
        <div role="group" aria-label="Language">
          {snippets.map((each) => (
            <button
              type="button"
              key={each.id}
              aria-pressed={each === language}
              onClick={() => {
                setLanguage(each);
              }}
            >
              {each.language}
            </button>
          ))}
        </div>
        <button type="button" class="primary" onClick={() => void copy()}>
          {copied ? 'Copied' : 'Copy'}
        </button>
      </div>
      <pre tabIndex={0} aria-label={`${direction} request in ${language.language}`}>
        <code>{text}</code>
      </pre>
    </section>
  );
}
