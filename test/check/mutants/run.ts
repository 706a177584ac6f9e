/**
 * `npm run mutants -- [layer…] [--style S] [--limit N] [--typical] [--dump N] [--undiagnosed] [--seed K] [--variants]`
 *
 * Prints how many mutants of each layer the check detects and explains. `--limit` takes N surviving mutants of each
 * layer at random; `--dump` prints N diagnosed ones to be read, or undiagnosed ones with `--undiagnosed`; `--variants`
 * instead gives right answers in other forms to the check, and ends with 1 if one of them is diagnosed.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { findingsOn, shuffled, type Finding } from './bench.js';
import { excerptOf, isTypical, tableOf, undiagnosedOf } from './report.js';
import { originals } from './sources.js';
import { alarmsOf, type Alarm } from './variants.js';

const { values, positionals: layers } = parseArgs({
  allowPositionals: true,
  options: {
    style: { type: 'string' },
    limit: { type: 'string' },
    typical: { type: 'boolean', default: false },
    dump: { type: 'string', default: '0' },
    undiagnosed: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    variants: { type: 'boolean', default: false },
  },
});
const found = originals({ layers, style: values.style });
const print = (text: string) => process.stdout.write(`${text}\n`);
if (found.length === 0) throw new Error(`no implementations of ${layers.join(', ') || 'any layer'}`);
if (values.variants) checkVariants();
else countMutants();

function countMutants(): void {
  const seed = Number(values.seed);
  const limit = values.limit === undefined ? undefined : Number(values.limit);
  const findings = new Map<string, Finding[]>();
  for (const layer of new Set(found.map((original) => original.layer))) {
    process.stderr.write(`${layer} …\n`);
    findings.set(layer, [...findingsOn(layer, found, { seed, typicalOnly: values.typical, limit })]);
  }
  const typical = new Map([...findings].map(([layer, all]) => [layer, all.filter(isTypical)]));
  print(`${tableOf('typical', typical)}\n`);
  if (!values.typical) print(`${tableOf('all kinds', findings)}\n`);
  print(undiagnosedOf(findings));

  const readable = [...findings.values()]
    .flat()
    .filter(({ outcome, isDiagnosed }) => outcome === 'surviving' && isDiagnosed !== values.undiagnosed);
  for (const finding of shuffled(readable, seed).slice(0, Number(values.dump))) print(`\n${excerptOf(finding)}`);
}

function checkVariants(): void {
  const failing: Alarm[] = [];
  for (const original of found) {
    const { variants, alarms } = alarmsOf(original);
    const diagnosed = alarms.filter(({ sentences }) => sentences.length > 0);
    print(
      `${original.layer}/${original.style}: ${variants} right variants, ${alarms.length} tensors fail, ${diagnosed.length} diagnosed`,
    );
    failing.push(...alarms);
  }
  for (const { original, variant, set, seed, name, sentences } of failing)
    print(`${original.layer}/${original.style} ${variant}, ${set}, seed ${seed}: ${name} ${sentences.join(' | ')}`);
  if (failing.some(({ sentences }) => sentences.length > 0)) process.exitCode = 1;
}
