import { useEffect, useState } from 'preact/hooks';
import { askAgain, busySince, stop, stopped } from '../state/answers.js';

/** What is answered sooner than this needs no bar. */
const PATIENCE_MS = 400;

/** Says that a long computation is under way, for how long by now, and lets it be stopped. */
export function Progress() {
  const since = busySince.value;
  const [elapsed, setElapsed] = useState(0);
  useEffect(() => {
    setElapsed(0);
    if (since === undefined) return undefined;
    const timer = setInterval(() => {
      setElapsed(performance.now() - since);
    }, 100);
    return () => {
      clearInterval(timer);
    };
  }, [since]);

  if (stopped.value)
    return (
      <div class="progress" role="status">
        <span>Stopped. What is shown may be of before.</span>
        <button type="button" onClick={askAgain}>
          Compute
        </button>
      </div>
    );
  if (since === undefined || elapsed < PATIENCE_MS) return null;
  return (
    <div class="progress" role="status">
      <progress aria-label="Computing" />
      <span>Computing, {(elapsed / 1000).toFixed(1)} s</span>
      <button type="button" onClick={stop}>
        Stop
      </button>
    </div>
  );
}
