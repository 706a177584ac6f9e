/** The tables that the bench prints. */
import type { Finding } from './bench.js';

const percent = (part: number, whole: number) => (whole === 0 ? '–' : ((100 * part) / whole).toFixed(1));

export interface Figures {
  readonly mutants: number;
  readonly crashed: number;
  readonly equivalent: number;
  readonly surviving: number;
  readonly detected: number;
  readonly diagnosed: number;
  readonly right: number;
  readonly misleading: number;
  readonly times: readonly number[];
}

export function figuresOf(findings: readonly Finding[]): Figures {
  const count = (is: (finding: Finding) => boolean) => findings.filter(is).length;
  return {
    mutants: findings.length,
    crashed: count(({ outcome }) => outcome === 'crashed'),
    equivalent: count(({ outcome }) => outcome === 'equivalent'),
    surviving: count(({ outcome }) => outcome === 'surviving'),
    detected: count(({ isDetected }) => isDetected),
    diagnosed: count(({ isDiagnosed }) => isDiagnosed),
    right: count((finding) => finding.isRight),
    misleading: count((finding) => finding.isMisleading),
    times: findings.flatMap(({ checked }) => checked.map(({ verdict }) => verdict.ms)).sort((a, b) => a - b),
  };
}

export const isTypical = ({ mutant }: Finding): boolean => mutant.kind !== 'other';

/** One row for each layer and one for all, as percentages of the mutants that survive. */
export function tableOf(title: string, layers: ReadonlyMap<string, readonly Finding[]>): string {
  const rows = [...layers, ['all', [...layers.values()].flat()] as const].map(([name, findings]) => {
    const figures = figuresOf(findings);
    const { surviving, times } = figures;
    const at = (share: number) =>
      times.length === 0 ? '–' : times[Math.min(times.length - 1, Math.floor(share * times.length))].toFixed(0);
    return [
      name,
      ...[figures.mutants, figures.equivalent, figures.crashed, surviving].map(String),
      ...[figures.detected, figures.diagnosed, figures.right, figures.misleading].map((n) => percent(n, surviving)),
      ...[at(0.5), at(0.99), at(1)],
    ];
  });
  const head = [title, 'mutants', 'equiv.', 'crashed', 'surviving', 'detected %', 'diagnosed %', 'right %'];
  return aligned([[...head, 'misleading %', 'p50 ms', 'p99 ms', 'max ms'], ...rows]);
}

/** How many of each kind survive and get no diagnosis, most first. */
export function undiagnosedOf(layers: ReadonlyMap<string, readonly Finding[]>): string {
  const kinds = new Map<string, Map<string, number>>();
  const totals = new Map<string, number>();
  for (const [layer, findings] of layers)
    for (const { mutant, outcome, isDiagnosed } of findings) {
      if (outcome !== 'surviving') continue;
      totals.set(mutant.kind, (totals.get(mutant.kind) ?? 0) + 1);
      if (isDiagnosed) continue;
      const ofKind = kinds.get(mutant.kind) ?? new Map<string, number>();
      ofKind.set(layer, (ofKind.get(layer) ?? 0) + 1);
      kinds.set(mutant.kind, ofKind);
    }
  const sum = (ofKind: ReadonlyMap<string, number>) => [...ofKind.values()].reduce((a, b) => a + b, 0);
  const rows = [...kinds]
    .sort((a, b) => sum(b[1]) - sum(a[1]))
    .map(([kind, ofKind]) => [
      kind,
      ...[...layers.keys()].map((layer) => String(ofKind.get(layer) ?? 0)),
      String(sum(ofKind)),
      String(totals.get(kind)),
    ]);
  return aligned([['undiagnosed', ...layers.keys(), 'all', 'of'], ...rows]);
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  ');
  return rows.map(line).join('\n');
}

/** One finding, to be read by eye. */
export function excerptOf({ mutant, checked, isRight, isMisleading, isDiagnosed }: Finding): string {
  const { original, line, column, kind, description, before, after } = mutant;
  const verdict = isMisleading ? 'MISLEADING' : isRight ? 'right' : isDiagnosed ? 'diagnosed' : 'undiagnosed';
  return [
    `${verdict}  ${original.layer}/${original.style}.ts:${line}:${column}  ${kind}: ${description}`,
    `  - ${before}`,
    `  + ${after}`,
    ...checked.flatMap(({ set, seed, verdict: { failing, ms } }) => {
      // Most diagnoses are the same for several tensors.
      const bySentences = new Map<string, string[]>();
      for (const { name, diagnoses } of failing) {
        const sentences = diagnoses.map(({ sentence }) => sentence).join(' | ') || '–';
        bySentences.set(sentences, [...(bySentences.get(sentences) ?? []), name]);
      }
      const lines = [...bySentences].map(([sentences, names]) => `    ${names.join(', ')}: ${sentences}`);
      return [`  on ${set}, seed ${seed}, ${ms.toFixed(0)} ms: ${failing.length === 0 ? 'passes' : ''}`, ...lines];
    }),
  ].join('\n');
}
