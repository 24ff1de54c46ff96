/** A line plot. A point is [x, y] in the units of the axes. */
export type Plot = {
  readonly title: string;
  readonly x: { readonly label: string; readonly log?: boolean };
  readonly y: { readonly label: string };
  readonly series: readonly { readonly name: string; readonly points: readonly (readonly [number, number])[] }[];
};

const WIDTH = 720;
const HEIGHT = 400;
const LEFT = 76;
const RIGHT = 24;
const TOP = 56;
const BOTTOM = 56;
/** Told apart on light and on dark, also by those who see no red or no green; each line has its name at the top as well. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7'];

/** A plot as SVG, with axes, units and a legend. Its text and grid follow the reader's light or dark scheme. */
export function svg({ title, x, y, series }: Plot): string {
  const all = series.flatMap(({ points }) => points);
  const xs = all.map(([at]) => at);
  const [least, most] = [Math.min(...xs), Math.max(...xs)];
  const top = niceAbove(Math.max(...all.map(([, value]) => value)));
  const scale = (value: number) => (x.log ? Math.log10(Math.max(value, 1e-9)) : value);
  const span = scale(most) - scale(least) || 1;
  const px = (value: number) => LEFT + ((scale(value) - scale(least)) / span) * (WIDTH - LEFT - RIGHT);
  const py = (value: number) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const xTicks = x.log ? decades(least, most) : steps(most);
  const yTicks = steps(top);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
    '<style>',
    'svg { background: #fff } text { font: 12px system-ui, sans-serif; fill: #222 } .title { font-size: 15px; font-weight: 600 }',
    '.grid { stroke: #ddd } .axis { stroke: #555 } .line { fill: none; stroke-width: 2 }',
    '@media (prefers-color-scheme: dark) { svg { background: #16181c } text { fill: #e4e4e4 } .grid { stroke: #3a3d42 } .axis { stroke: #aaa } }',
    '</style>',
    `<text class="title" x="${LEFT}" y="22">${escaped(title)}</text>`,
    ...yTicks.flatMap((tick) => [
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(py(tick))}" y2="${round(py(tick))}"/>`,
      `<text x="${LEFT - 8}" y="${round(py(tick) + 4)}" text-anchor="end">${label(tick)}</text>`,
    ]),
    ...xTicks
      .filter((tick) => tick >= least && tick <= most)
      .map(
        (tick) => `<text x="${round(px(tick))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${label(tick)}</text>`,
      ),
    `<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${HEIGHT - BOTTOM}" y2="${HEIGHT - BOTTOM}"/>`,
    `<line class="axis" x1="${LEFT}" x2="${LEFT}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 12}" text-anchor="middle">${escaped(x.label)}</text>`,
    `<text transform="translate(16 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escaped(y.label)}</text>`,
    ...series.flatMap(({ name, points }, index) => {
      const colour = COLOURS[index % COLOURS.length];
      const at = LEFT + index * ((WIDTH - LEFT - RIGHT) / Math.max(series.length, 1));
      const path = points.map(([a, b]) => `${round(px(a))},${round(py(b))}`).join(' ');
      const dots = points.length > 40 ? [] : points;
      return [
        `<line x1="${round(at)}" x2="${round(at + 18)}" y1="38" y2="38" stroke="${colour}" stroke-width="3"/>`,
        `<text x="${round(at + 24)}" y="42">${escaped(name)}</text>`,
        `<polyline class="line" stroke="${colour}" points="${path}"/>`,
        ...dots.map(([a, b]) => `<circle cx="${round(px(a))}" cy="${round(py(b))}" r="3" fill="${colour}"/>`),
      ];
    }),
    '</svg>',
    '',
  ].join('\n');
}

/** The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `value`. */
function niceAbove(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= value) ?? 10) * power;
}

function steps(most: number): number[] {
  const step = niceAbove(most / 5);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => i * step);
}

function decades(least: number, most: number): number[] {
  const first = Math.ceil(Math.log10(Math.max(least, 1e-9)) - 1e-9);
  const last = Math.floor(Math.log10(most) + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

function label(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 3 });
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
