/**
 * Runs a load generator that is not part of this repository. The environment variable PEERS names its folder, which
 * holds `load.mjs` (the generator), `workloads.json` (an array of {@link Workload}) and `.fixtures` (the expected
 * answers). The generator compares each server's answer to a workload with its fixture before it times any server.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Options } from './options.js';
import { wants } from './options.js';
import type { Remark, Figure, Report } from './table.js';

const folder = process.env.PEERS ?? '';

/** If other programs used more cores than this, a row is unreliable, as the generator's documentation advises. */
const DISTURBANCE = 0.2;

export interface Workload {
  readonly name: string;
  readonly layer: string;
  readonly format: 'json' | 'binary';
}

export interface Server {
  readonly name: string;
  readonly url: string;
  /** `forward` and `forward_backward` are workloads of layers. */
  readonly kind: 'forward' | 'forward_backward' | 'echo';
}

interface Measures {
  readonly rps: number;
  readonly server_cpu_ms_per_op: number | null;
  readonly foreign_cores: number;
}
type Measured = { readonly unavailable: string } | { readonly errors: number; readonly median: Measures };
interface Comparison {
  readonly rows: readonly { readonly name: string; readonly sides: Readonly<Record<string, Measured>> }[];
}
interface Run {
  readonly rows: readonly ({ readonly name: string } & (
    { readonly unavailable: string } | ({ readonly errors: number } & Measures)
  ))[];
}

/** The reason why the generator cannot be used; undefined if it can. */
export function missing(): string | undefined {
  if (folder === '') return 'PEERS is not set; expected the folder of a load generator';
  if (!existsSync(join(folder, 'load.mjs'))) return `PEERS=${folder} has no load.mjs`;
  if (!existsSync(join(folder, '.fixtures'))) return `PEERS=${folder} has no .fixtures`;
  return undefined;
}

export function workloads(options: Options): readonly Workload[] {
  const all = JSON.parse(readFileSync(join(folder, 'workloads.json'), 'utf8')) as readonly Workload[];
  return all.filter(({ name }) => wants(options, name));
}

/** Compares the first server with the others, which take turns; one row per workload. */
export async function compare(
  servers: readonly Server[],
  chosen: readonly Workload[],
  suffix: string,
  { rounds = 3, seconds = 3, quietSeconds = 0 }: Options,
  report: Report,
): Promise<void> {
  if (chosen.length === 0) return;
  const letters = ['a', 'b', 'c', 'd', 'e', 'f'].slice(0, servers.length);
  const sides = servers.flatMap(({ url, kind }, i) => [`--${letters[i]}`, url, `--kind-${letters[i]}`, kind]);
  const [{ url, kind }] = servers;
  const names = new Set(chosen.map(({ name }) => name));
  const common = ['--extra', '--only', [...names].join(), '--seconds', `${seconds}`, '--quiet', `${quietSeconds}`];
  const rows: Comparison['rows'] =
    servers.length > 1
      ? ((await generate(['compare', ...sides, '--kind', kind, '--rounds', `${rounds}`, ...common])) as Comparison).rows
      : ((await generate(['run', '--base', url, '--kind', kind, ...common])) as Run).rows.map((row) => ({
          name: row.name,
          sides: { a: 'unavailable' in row ? row : { errors: row.errors, median: row } },
        }));
  // The generator also accepts parts of names.
  for (const row of rows.filter(({ name }) => names.has(name))) {
    const figures = servers.map(({ name }, i) => figureOf(name, row.sides[letters[i]]));
    const [layerd, ...beside] = figures;
    const what = `${row.name}${suffix}`;
    if ('says' in layerd) {
      report({ ...layerd, name: what });
      continue;
    }
    const others = Math.max(
      ...Object.values(row.sides).map((side) => ('median' in side ? side.median.foreign_cores : 0)),
    );
    const caution = others > DISTURBANCE ? `disturbed: others took ${others.toFixed(1)} cores` : undefined;
    report({ what, unit: 'requests a second', layerd, beside, caution });
  }
}

function figureOf(name: string, side: Measured): Figure | Remark {
  if ('unavailable' in side) return { name, says: side.unavailable };
  const { rps, server_cpu_ms_per_op: cpu } = side.median;
  if (side.errors > 0) return { name, says: `${side.errors} requests failed` };
  return { name, value: rps, more: cpu === null ? undefined : `${cpu.toFixed(2)} ms CPU` };
}

/** @returns the JSON that the generator writes to a file */
async function generate(args: readonly string[]): Promise<unknown> {
  const own = mkdtempSync(join(tmpdir(), 'layerd-bench-'));
  try {
    const out = join(own, 'out.json');
    // Its standard output and standard error are for people. It exits with 1 if an answer was wrong, which the file
    // also states.
    const child = spawn(process.execPath, [join(folder, 'load.mjs'), ...args, '--out', out], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await once(child, 'exit');
    return JSON.parse(readFileSync(out, 'utf8')) as unknown;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}
