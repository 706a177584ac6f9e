/** The service as a separate process, compiled from the current sources. */
import type { SpawnOptions } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { start } from './children.js';
import type { LogLine } from './service.js';

/** Compiled by Vitest's global set-up. */
const ENTRY = fileURLToPath(new URL('../../dist/service/server.js', import.meta.url));

/** Must be called in a suite. Returns the compiled entry. */
export function compiled(): () => string {
  return () => ENTRY;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningService {
  readonly port: number;
  readonly exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
  /** Its log lines so far. */
  log(): LogLine[];
}

function run(entry: string, environment: Readonly<Record<string, string>>) {
  const { PATH = '' } = process.env;
  // No limit on the event-loop delay: requests must be answered even on a busy machine.
  const defaults = { PROCESSES: '1', EVENT_LOOP_DELAY_LIMIT_MS: '0' };
  const options: SpawnOptions = { env: { PATH, ...defaults, ...environment } };
  const { child, end } = start(process.execPath, [entry], options);
  onTestFinished(end);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code, signal, ...output });
    });
  });
  return { child, output, exited };
}

/** Runs the service until it exits by itself. */
export function runToEnd(entry: string, environment: Readonly<Record<string, string>>): Promise<Exit> {
  return run(entry, environment).exited;
}

/** Must be called in a test. Starts the service on a free port, and ends it with the test at the latest. */
export async function startProcess(
  entry: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningService> {
  const { child, output, exited } = run(entry, { PORT: '0', ...environment });
  const port = await new Promise<number>((resolve, reject) => {
    const read = () => {
      const match = /listening at http:\/\/(?:127\.0\.0\.1|\[::1\]):(\d+)/.exec(output.stdout);
      if (!match) return;
      child.stdout?.off('data', read);
      resolve(Number(match[1]));
    };
    child.stdout?.on('data', read);
    exited.then(({ stdout, stderr }) => {
      reject(new Error(`the service ended before it listened: ${stdout}${stderr}`));
    }, reject);
  });
  return {
    port,
    exited,
    kill: (signal) => child.kill(signal),
    log: () =>
      output.stdout
        .split('\n')
        // The text after the last line end is an incomplete line.
        .slice(0, -1)
        .map((line) => JSON.parse(line) as LogLine),
  };
}
