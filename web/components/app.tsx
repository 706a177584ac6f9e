import { writeAddress } from '../state/address.js';
import { initialState, layerNames, state } from '../state/state.js';
import { LayerView } from './layer-view.js';
import { Progress } from './progress.js';

export function App() {
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the layer
      </a>
      <header class="masthead">
        <a class="brand" href="./">
          <img src="favicon.svg" alt="" width="22" height="22" />
          layerd
        </a>
        <nav aria-label="Layers">
          <ul>
            {layerNames.value.map((name) => (
              <li key={name}>
                <a
                  href={writeAddress(initialState(name))}
                  {...(state.value.layer === name ? { 'aria-current': 'page' as const } : {})}
                >
                  {name}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <a class="reference" href="docs/">
          API
        </a>
      </header>
      <LayerView key={state.value.layer} />
      <Progress />
    </>
  );
}

/** The address contains the state, so a jump within the page must not change it. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
