import { effect } from '@preact/signals';
import { render } from 'preact';
import { App } from './components/app.js';
import { LONGEST, readAddress, writeAddress } from './state/address.js';
import { keepAnswering } from './state/answers.js';
import { loadCatalogue } from './state/catalogue.js';
import { keepExplaining, pointed } from './state/explained.js';
import { Refused } from './state/service.js';
import { initialState, layerNames, state } from './state/state.js';
import './styles/base.css';
import './styles/layout.css';
import './styles/grid.css';
import './styles/panels.css';

// Which layers there are is known from the catalogue.
await loadCatalogue().catch((error: unknown) => {
  // The page's own request shows that the service cannot be reached.
  if (!(error instanceof Refused)) throw error;
});
const names = layerNames.value;

/** Reads the state from the address: at the start, after a link, and after going back. */
function follow(): void {
  if (location.hash === writeAddress(state.peek())) return;
  const read = readAddress(location.hash, names);
  pointed.value = undefined;
  state.value = read?.state ?? initialState(read?.layer ?? names[0]);
}

follow();
effect(() => {
  const whole = writeAddress(state.value);
  const address = whole.length > LONGEST ? `#/${state.value.layer}` : whole;
  // Another layer adds an entry to the history; changes on its page do not.
  const isSamePage = location.hash === '' || readAddress(location.hash, names)?.layer === state.value.layer;
  if (isSamePage) history.replaceState(null, '', address);
  else history.pushState(null, '', address);
});
effect(() => {
  document.title = `${state.value.layer} · layerd`;
});
addEventListener('hashchange', follow);
addEventListener('popstate', follow);

const app = document.getElementById('app');
if (app) render(<App />, app);
keepAnswering();
keepExplaining();
