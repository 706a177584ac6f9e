import { effect } from '@preact/signals';
import { render } from 'preact';
import { App } from './components/app.js';
import { pages } from './layers/pages.js';
import { LONGEST, readAddress, writeAddress } from './state/address.js';
import { keepAnswering } from './state/answers.js';
import { loadCatalogue } from './state/catalogue.js';
import { pointed } from './state/explained.js';
import { initialState, state } from './state/state.js';
import './styles/base.css';
import './styles/layout.css';
import './styles/grid.css';
import './styles/panels.css';

const names = pages.map(({ name }) => name);

/** From the address to the state: at the start, by a link, and when a person goes back. */
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
  // A layer is a page of its own in the history; what is typed on it is not.
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
void loadCatalogue();
