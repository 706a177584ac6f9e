import { useEffect, useState } from 'preact/hooks';
import { askAgain, busySince, stop, stopped } from '../state/answers.js';

/** A request that is answered sooner needs no progress bar. */
const PATIENCE_MS = 400;

/** Says that a long computation is under way, and lets it be stopped. */
export function Progress() {
  if (stopped.value)
    return (
      <div class="progress" role="status">
        <span>Stopped. The values shown may be out of date.</span>
        <button type="button" onClick={askAgain}>
          Compute
        </button>
      </div>
    );
  return <Busy since={busySince.value} what="Computing" stop={stop} float />;
}

interface BusyProps {
  /** From `performance.now()`; undefined if nothing is running. */
  readonly since: number | undefined;
  readonly what: string;
  readonly stop: () => void;
  /** Whether it floats over the page, at any scroll position. */
  readonly float?: boolean;
}

/** The elapsed time, and a button to stop. */
export function Busy({ since, what, stop, float = false }: BusyProps) {
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
  if (since === undefined || elapsed < PATIENCE_MS) return null;
  return (
    <div class={float ? 'progress' : 'progress inline'} role="status">
      <progress aria-label={what} />
      <span>
        {what}, {(elapsed / 1000).toFixed(1)} s
      </span>
      <button type="button" onClick={stop}>
        Stop
      </button>
    </div>
  );
}
