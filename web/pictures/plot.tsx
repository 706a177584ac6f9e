import { useEffect, useRef, useState } from 'preact/hooks';
import 'uplot/dist/uPlot.min.css';

/** Fetched with the first plot, because most layers have none. */
const plotter = () => import('uplot');

export interface Line {
  readonly label: string;
  readonly values: readonly number[];
  /** Index of its colour in the theme. */
  readonly colour: number;
  readonly dashed?: boolean;
}

interface PlotProps {
  readonly title: string;
  /** Label of the horizontal axis. */
  readonly unit: string;
  readonly places: readonly number[];
  readonly lines: readonly Line[];
}

const HEIGHT = 190;

/** Lines over time or draws. */
export function Plot({ title, unit, places, lines }: PlotProps) {
  const host = useRef<HTMLDivElement>(null);
  const drawn = JSON.stringify([places, lines]);
  const isDark = useDarkness();
  useEffect(() => {
    const element = host.current;
    if (!element) return undefined;
    let remove: (() => void) | undefined;
    let gone = false;
    void plotter().then(({ default: UPlot }) => {
      if (gone) return;
      const style = getComputedStyle(element);
      const colour = (name: string) => style.getPropertyValue(name).trim();
      const axis = {
        stroke: colour('--quiet'),
        grid: { stroke: colour('--line'), width: 1 },
        ticks: { show: false },
        font: '11px system-ui, sans-serif',
      };
      const plot = new UPlot(
        {
          width: element.clientWidth,
          height: HEIGHT,
          cursor: { drag: { x: false, y: false } },
          legend: { live: false },
          scales: { x: { time: false } },
          axes: [
            { ...axis, space: 30, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500] },
            { ...axis, size: 46 },
          ],
          series: [
            { label: unit },
            ...lines.map(({ label, colour: number, dashed }) => ({
              label,
              stroke: colour(`--series-${number % SERIES}`),
              width: 2,
              ...(dashed ? { dash: [4, 4] } : {}),
              points: { show: places.length <= 40, size: 5 },
              value: (_: unknown, value: number | null) => (value === null ? '–' : value.toPrecision(3)),
            })),
          ],
        },
        [[...places], ...lines.map(({ values }) => [...values])],
        element,
      );
      const observer = new ResizeObserver(() => {
        plot.setSize({ width: element.clientWidth, height: HEIGHT });
      });
      observer.observe(element);
      remove = () => {
        observer.disconnect();
        plot.destroy();
      };
    });
    return () => {
      gone = true;
      remove?.();
    };
  }, [drawn, unit, isDark]);
  return (
    <figure class="plot">
      <figcaption>{title}</figcaption>
      <div ref={host} role="img" aria-label={`${title}: ${lines.map(({ label }) => label).join(', ')}, over ${unit}`} />
    </figure>
  );
}

/** Number of colours for lines in a theme. */
const SERIES = 6;

/** Whether the dark theme is active: a canvas keeps its colours, so it is drawn again when this changes. */
function useDarkness(): boolean {
  const [scheme] = useState(() => matchMedia('(prefers-color-scheme: dark)'));
  const [isDark, setIsDark] = useState(scheme.matches);
  useEffect(() => {
    const follow = () => {
      setIsDark(scheme.matches);
    };
    scheme.addEventListener('change', follow);
    return () => {
      scheme.removeEventListener('change', follow);
    };
  }, [scheme]);
  return isDark;
}
