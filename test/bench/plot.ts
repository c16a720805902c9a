import { scaleLog, scaleSymlog } from 'd3-scale';
import { line } from 'd3-shape';
import { median } from './figure.js';
import { parseName } from './scale-figures.js';
import type { Report } from './report.js';

const WIDTH = 960;
const HEIGHT = 620;
const MARGIN = { top: 64, right: 290, bottom: 56, left: 72 };
/** Least distance of two labels, in pixels. */
const LABEL_HEIGHT = 14;
/** Where the axis turns from counting to powers of ten. */
const LINEAR_UP_TO = 1000;
const MAJOR = /^[1-9]0*$/;
const COLORS = [
  '#0b6e99',
  '#c2410c',
  '#15803d',
  '#7e22ce',
  '#b91c1c',
  '#4d5b68',
  '#a16207',
  '#0f766e',
  '#be185d',
];

/** One operation: microseconds by number of finished tasks. */
interface Line {
  operation: string;
  points: { finished: number; us: number }[];
  /** The last point by the same with hardly any history. */
  ratio: number;
}

/** What each operation costs by the number of finished tasks, as SVG; undefined for a report without those figures. */
export function plotScale(report: Report): string | undefined {
  const lines = linesOf(report);
  if (lines.length === 0) return undefined;
  const points = lines.flatMap((l) => l.points);
  const x = scaleSymlog()
    .constant(LINEAR_UP_TO)
    .domain([0, Math.max(...points.map((p) => p.finished))])
    .range([MARGIN.left, WIDTH - MARGIN.right]);
  const y = scaleLog()
    .domain([Math.min(...points.map((p) => p.us)), Math.max(...points.map((p) => p.us))])
    .nice()
    .range([HEIGHT - MARGIN.bottom, MARGIN.top]);
  const path = line<Line['points'][number]>()
    .x((p) => x(p.finished))
    .y((p) => y(p.us));
  const labels = spread(lines.map((l) => y(l.points.at(-1)!.us)));
  const drawn = lines.map(({ operation, points, ratio }, i) => {
    const color = COLORS[i % COLORS.length]!;
    const end = points.at(-1)!;
    const [endX, endY, labelX] = [x(end.finished), y(end.us), WIDTH - MARGIN.right + 28];
    return [
      `<path d="${path(points)}" fill="none" stroke="${color}" stroke-width="1.8"/>`,
      ...points.map(
        (p) => `<circle cx="${round(x(p.finished))}" cy="${round(y(p.us))}" r="2.6" fill="${color}"/>`,
      ),
      `<path d="M${round(endX + 5)},${round(endY)}L${labelX - 4},${round(labels[i]!)}" stroke="${color}" stroke-width="0.6"/>`,
      text(labelX, labels[i]! + 4, `${operation}: ${amount(end.us)}, ${ratio.toFixed(2)} ×`, { fill: color }),
    ].join('\n');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${text(MARGIN.left, 26, 'Processor time of one operation by the number of finished tasks in the database', { 'font-size': 16 })}
${text(MARGIN.left, 46, `behind each name: with ${count(x.domain()[1]!)}, and times the same with 1,000 measured beside it (${report.date.slice(0, 10)}, ${report.machine.cores} cores)`, { fill: '#555' })}
${[...new Set(points.map((p) => p.finished))].map((n) => grid([x(n), MARGIN.top], [x(n), HEIGHT - MARGIN.bottom]) + text(x(n), HEIGHT - MARGIN.bottom + 20, count(n), { 'text-anchor': 'middle' })).join('\n')}
${y
  .ticks()
  .map(
    (us) =>
      grid([MARGIN.left, y(us)], [WIDTH - MARGIN.right, y(us)]) +
      (MAJOR.test(String(us)) && /^(1|2|5)/.test(String(us))
        ? text(MARGIN.left - 8, y(us) + 4, amount(us), { 'text-anchor': 'end' })
        : ''),
  )
  .join('\n')}
${text((MARGIN.left + WIDTH - MARGIN.right) / 2, HEIGHT - 14, 'finished tasks', { 'text-anchor': 'middle' })}
${drawn.join('\n')}
</svg>
`;
}

/**
 * Processor times by size; what was measured another way, or with a queue, has its place in the table only. The machine
 * may have been faster at one size than at another: a point is how many times the reference beside it, times the median
 * of all references.
 */
function linesOf(report: Report): Line[] {
  const lines = new Map<string, Line & { references: number[] }>();
  for (const { figure, ratio, reference_median } of report.benches.flatMap((bench) => bench.figures)) {
    const name = parseName(figure.name);
    if (name === undefined || name.waiting > 0 || figure.unit !== 'µs') continue;
    if (name.operation.endsWith('elapsed') || ratio === undefined || reference_median === undefined) continue;
    const { operation, finished } = name;
    const found = lines.get(operation) ?? { operation, points: [], ratio, references: [] };
    lines.set(operation, found);
    found.points.push({ finished, us: ratio });
    found.references.push(reference_median);
    found.ratio = ratio;
  }
  const all = [...lines.values()].map(({ references, points, ...rest }): Line => {
    const reference = median(references);
    return { ...rest, points: points.map(({ finished, us }) => ({ finished, us: us * reference })) };
  });
  return all.sort((a, b) => b.points.at(-1)!.us - a.points.at(-1)!.us);
}

/** Moves positions, which come in order, apart until no two are closer than a label is high. */
function spread(wanted: readonly number[]): number[] {
  const placed: number[] = [];
  for (const at of wanted) placed.push(Math.max(at, (placed.at(-1) ?? -Infinity) + LABEL_HEIGHT));
  const lowest = HEIGHT - MARGIN.bottom;
  for (let i = placed.length - 1, limit = lowest; i >= 0; i--, limit -= LABEL_HEIGHT)
    placed[i] = Math.min(placed[i]!, limit);
  return placed;
}

function grid([x1, y1]: [number, number], [x2, y2]: [number, number]): string {
  return `<path d="M${round(x1)},${round(y1)}L${round(x2)},${round(y2)}" stroke="#ddd"/>`;
}

function text(
  x: number,
  y: number,
  content: string,
  attributes: Record<string, string | number> = {},
): string {
  const more = Object.entries(attributes).map(([name, value]) => ` ${name}="${value}"`);
  return `<text x="${round(x)}" y="${round(y)}"${more.join('')}>${content}</text>`;
}

function amount(us: number): string {
  return us >= 1000 ? `${Number((us / 1000).toPrecision(2))} ms` : `${Number(us.toPrecision(2))} µs`;
}

function count(n: number): string {
  return n.toLocaleString('en');
}

function round(n: number): number {
  return Math.round(n * 10) / 10;
}
