/**
 * `npm run bench`: compares the codec, the kernels and whole requests with the alternatives available on this machine,
 * and prints one table and a plot. Every result is verified before it is timed.
 *
 *     npm run bench -- [PART [WORD …]] [--rounds N] [--seconds S] [--quiet S]
 *
 * PART is one of those below; by default, all except shapes, which compares layerd only with itself. WORD selects the
 * cases whose name contains it. In each round, all sides take turns; --seconds is the time of each side in a round.
 * With --quiet, the load generator waits up to S seconds in total for the machine to be idle.
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

/** @throws {Error} if the command line names an unknown part or an invalid value */
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
// Through `process.exit`, so that child processes are ended.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
console.log(`${describeMachine()}\n\n${HEAD}`);
for (const part of wanted)
  await parts[part](options, (row) => {
    console.log(formatRow(row));
  });
