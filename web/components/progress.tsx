import { useEffect, useState } from 'preact/hooks';
import { askAgain, busySince, stop, stopped } from '../state/answers.js';

/** What is answered sooner than this needs no bar. */
const PATIENCE_MS = 400;

/** Says that a long computation is under way, and lets it be stopped. */
export function Progress() {
  if (stopped.value)
    return (
      <div class="progress" role="status">
        <span>Stopped. What is shown may be of before.</span>
        <button type="button" onClick={askAgain}>
          Compute
        </button>
      </div>
    );
  return <Busy since={busySince.value} what="Computing" stop={stop} float />;
}

interface BusyProps {
  /** By `performance.now()`; absent where nothing is under way. */
  readonly since: number | undefined;
  readonly what: string;
  readonly stop: () => void;
  /** Over the page, wherever it is scrolled to. */
  readonly float?: boolean;
}

/** For how long it has gone on by now. */
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
