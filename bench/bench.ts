/**
 * `npm run bench`: one table of the codec, the kernels and whole requests, each beside the alternatives that this
 * machine has, and a plot. Nothing is timed before its answer was compared.
 *
 *     npm run bench -- [PART [WORD …]] [--rounds N] [--seconds S] [--quiet S]
 *
 * PART is one of those below, by default each but shapes, which compares layerd with itself and not with others; a
 * WORD keeps only what has it in its name. Rounds are those in which all sides take their
 * turns, seconds are each side's in a round. With --quiet the load generator waits for an idle machine, so many seconds
 * in all.
 */
import { parseArgs } from 'node:util';
import { clients } from './clients.js';
import { codec } from './codec.js';
import { measureKernels } from './kernels.js';
import { cost } from './cost.js';
import { describeMachine } from './machine.js';
import type { Options } from './options.js';
import { requests } from './requests.js';
import { shapes } from './shapes.js';
import { formatRow, HEAD, type Report } from './table.js';

const parts: Readonly<Record<string, (options: Options, report: Report) => Promise<void>>> = {
  codec,
  kernels: measureKernels,
  requests,
  clients,
  shapes,
  cost,
};

/** @throws {Error} where the command line says what there is not */
function read(argv: readonly string[]): { wanted: readonly string[]; options: Options } {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { rounds: { type: 'string' }, seconds: { type: 'string' }, quiet: { type: 'string' } },
  });
  const part = positionals.at(0);
  const only = positionals.slice(1);
  if (part && !Object.hasOwn(parts, part))
    throw new Error(`no part ${part}; there are ${Object.keys(parts).join(', ')}`);
  const number = (name: keyof typeof values) => {
    const value = Number(values[name]);
    if (!(value > 0)) throw new Error(`--${name} is ${values[name] ?? ''}; expected a number above 0`);
    return value;
  };
  return {
    wanted: part ? [part] : Object.keys(parts).filter((name) => name !== 'shapes'),
    options: {
      only,
      ...(values.rounds === undefined ? {} : { rounds: number('rounds') }),
      ...(values.seconds === undefined ? {} : { seconds: number('seconds') }),
      ...(values.quiet === undefined ? {} : { quietSeconds: number('quiet') }),
    },
  };
}

const { wanted, options } = read(process.argv.slice(2));
// By way of `process.exit`, so that what was started is ended.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
console.log(`${describeMachine()}\n\n${HEAD}`);
for (const part of wanted)
  await parts[part](options, (row) => {
    console.log(formatRow(row));
  });
