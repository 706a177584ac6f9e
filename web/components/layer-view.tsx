import { catalogue } from '../state/catalogue.js';
import { page, state } from '../state/state.js';
import { Picture } from '../pictures/picture.js';
import { Answers } from './answers.js';
import { CheckPanel } from './check-panel.js';
import { Examples } from './examples.js';
import { ExplanationPanel } from './explanation-panel.js';
import { Formula } from './formula.js';
import { Inputs, Upstream } from './inputs.js';
import { OptionsForm } from './options-form.js';
import { GeneralProblem } from './problems.js';
import { RequestPanel } from './request-panel.js';

export function LayerView() {
  const { name, purpose } = page.value;
  const entry = catalogue.value.get(name);
  return (
    <main id="main" tabIndex={-1}>
      <section class="intro">
        <h1>{name}</h1>
        <p class="purpose">
          {purpose}
          {entry && (
            <>
              {' '}
              <a href={entry.reference.slice(1)}>Derivation, conventions, other frameworks</a>
            </>
          )}
        </p>
        {entry && (
          <>
            <div class="formulas">
              <Formulas title="Forward" lines={entry.forward.tex} />
              <Formulas title="Backward" lines={entry.backward.tex} />
            </div>
            <p class="letters">
              {Object.entries(entry.dimensions).map(([letter, meaning]) => (
                <span key={letter}>
                  <b>{letter}</b> {meaning}
                </span>
              ))}
            </p>
          </>
        )}
      </section>
      <div class="bench">
        <div class="work">
          <Examples />
          {entry && <OptionsForm entry={entry} />}
          <GeneralProblem />
          <section aria-labelledby="forward-title">
            <h2 id="forward-title">Forward</h2>
            <div class="cards">
              {entry && <Inputs entry={entry} />}
              <Answers direction="forward" />
            </div>
          </section>
          <section aria-labelledby="backward-title">
            <h2 id="backward-title">Backward</h2>
            <div class="cards">
              {entry && <Upstream entry={entry} />}
              <Answers direction="backward" />
            </div>
          </section>
          <Picture layer={state.value.layer} />
          <CheckPanel />
          <RequestPanel />
          {entry && (
            <section class="conventions" aria-labelledby="conventions-title">
              <h2 id="conventions-title">Conventions</h2>
              <ul>
                {entry.conventions.map((line) => (
                  <li key={line}>{line}</li>
                ))}
              </ul>
            </section>
          )}
        </div>
        <ExplanationPanel />
      </div>
    </main>
  );
}

function Formulas({ title, lines }: { title: string; lines: readonly string[] }) {
  return (
    <div>
      <h2>{title}</h2>
      {lines.map((line) => (
        <div class="formula-line" key={line}>
          {partsOf(line).map((tex) => (
            <Formula key={tex} tex={tex} display />
          ))}
        </div>
      ))}
    </div>
  );
}

/** Formulas of a line, and its label, which are shown below each other where they do not fit next to each other. */
function partsOf(line: string): string[] {
  return line.split(/(?<=,|:\}) \\quad /);
}
