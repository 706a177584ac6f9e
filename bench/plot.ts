/** A plot of lines over two logarithmic axes, as SVG for light and dark pages. */

export interface Series {
  readonly name: string;
  /** Index into {@link COLOURS}; related lines share a colour. */
  readonly colour: number;
  readonly dashed: boolean;
  /** In ascending order of x; all values are above 0. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Plot {
  readonly title: string;
  readonly subtitle: string;
  readonly x: { readonly title: string; readonly ticks: readonly (readonly [value: number, label: string])[] };
  readonly y: { readonly title: string };
  readonly series: readonly Series[];
  /** Where and when it was measured. */
  readonly origin: string;
}

const WIDTH = 900;
const HEIGHT = 540;
/** Margins around the plot area; the names of the lines are on the right. */
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 300, 92, 78];
/** Distance between the baselines of two names. */
const LINE = 17;

/**
 * After Okabe and Ito (2008), safe for colour-blind readers; blue and yellow are changed to be legible on white and
 * black.
 */
const COLOURS = ['#1f7fc4', '#d55e00', '#009e73', '#cc79a7', '#b08a00'];

/** Maps a value between `from` and `to` to a coordinate between `start` and `end`, logarithmically. */
export function logScale([from, to]: readonly number[], [start, end]: readonly number[]): (value: number) => number {
  return (value) => start + ((end - start) * Math.log(value / from)) / Math.log(to / from);
}

/** 1, 2 and 5 times the powers of ten from `from` to `to`. */
export function logTicks(from: number, to: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++)
    for (const digit of [1, 2, 5]) {
      const tick = digit * 10 ** power;
      if (tick >= from && tick <= to) ticks.push(tick);
    }
  return ticks;
}

/**
 * Moves overlapping labels apart, as little as possible and without changing their order.
 * @param wanted the preferred positions, in any order
 * @returns positions that are at least `gap` apart
 */
export function spread(wanted: readonly number[], gap: number): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  // Labels that touch become a block, centred at the average of their wanted positions.
  const blocks: { members: number[]; middle: number }[] = [];
  for (const i of order) {
    let block = { members: [i], middle: wanted[i] };
    for (let before = blocks.at(-1); before; before = blocks.at(-1)) {
      const reach = (gap * (before.members.length + block.members.length)) / 2;
      if (block.middle - before.middle >= reach) break;
      blocks.pop();
      const members = [...before.members, ...block.members];
      block = { members, middle: members.reduce((sum, member) => sum + wanted[member], 0) / members.length };
    }
    blocks.push(block);
  }
  const places = wanted.slice();
  for (const { members, middle } of blocks)
    members.forEach((member, i) => (places[member] = middle + gap * (i - (members.length - 1) / 2)));
  return places;
}

const escape = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

export function plot({ title, subtitle, x, y, series, origin }: Plot): string {
  const ys = series.flatMap(({ points }) => points.map((point) => point[1]));
  const xs = x.ticks.map(([value]) => value);
  const range = [Math.min(...ys) * 0.85, Math.max(...ys) * 1.15];
  const [right, bottom] = [WIDTH - RIGHT, HEIGHT - BOTTOM];
  const toX = logScale([Math.min(...xs), Math.max(...xs)], [LEFT, right]);
  const toY = logScale(range, [bottom, TOP]);
  const at = (value: number) => value.toFixed(1);
  const text = (kind: string, px: number, py: number, words: string, more = '') =>
    `<text class="${kind}" x="${at(px)}" y="${at(py)}"${more}>${escape(words)}</text>`;

  const grid = [
    ...logTicks(range[0], range[1]).map(
      (tick) =>
        `<path class="grid" d="M${LEFT} ${at(toY(tick))}H${right}"/>${text('tick', LEFT - 8, toY(tick) + 4, String(tick), ' text-anchor="end"')}`,
    ),
    ...x.ticks.map(
      ([value, label]) =>
        `<path class="grid" d="M${at(toX(value))} ${TOP}V${bottom + 5}"/>${text('tick', toX(value), bottom + 20, label, ' text-anchor="middle"')}`,
    ),
  ];
  const labels = spread(
    series.map(({ points }) => toY(points[points.length - 1][1])),
    LINE,
  );
  const lines = series.map(({ name, colour: index, dashed, points }, i) => {
    const colour = COLOURS[index % COLOURS.length];
    const path = points.map(([px, py]) => `${at(toX(px))} ${at(toY(py))}`).join('L');
    const dots = points.map(
      ([px, py]) =>
        `<circle cx="${at(toX(px))}" cy="${at(toY(py))}" r="3"><title>${escape(`${name}: ${py.toPrecision(3)}`)}</title></circle>`,
    );
    const end = toY(points[points.length - 1][1]);
    return [
      `<g stroke="${colour}" fill="${colour}">`,
      `<path class="line" d="M${path}"${dashed ? ' stroke-dasharray="6 4"' : ''}/>`,
      `<path class="lead" d="M${right + 5} ${at(end)}L${right + 18} ${at(labels[i])}"/>`,
      dots.join(''),
      text('name', right + 22, labels[i] + 4, name, ' stroke="none"'),
      '</g>',
    ].join('\n');
  });

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">
<title>${escape(title)}</title>
<style>
svg { background: #fff; color: #1f2328; font: 13px system-ui, sans-serif; }
text { fill: currentColor; }
.title { font-size: 18px; font-weight: 600; }
.tick { font-size: 12px; }
.origin { font-size: 11px; fill-opacity: 0.7; }
.name { fill: inherit; font-weight: 600; }
.grid { stroke: currentColor; stroke-opacity: 0.12; fill: none; }
.line { fill: none; stroke-width: 2; }
.lead { fill: none; stroke-opacity: 0.6; }
@media (prefers-color-scheme: dark) { svg { background: #0d1117; color: #e6edf3; } }
</style>
${text('title', 16, 28, title)}
${text('tick', 16, 50, subtitle)}
${text('tick', 16, TOP - 6, y.title)}
${text('tick', (LEFT + right) / 2, HEIGHT - 36, x.title, ' text-anchor="middle"')}
${text('origin', 16, HEIGHT - 12, origin)}
${grid.join('\n')}
${lines.join('\n')}
</svg>
`;
}
