/** The service as a process of its own, compiled from the sources as they stand. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, onTestFinished, vi } from 'vitest';
import type { LogLine } from './service.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** To be called in a suite: gives the compiled entry, there from the start of its tests on. */
export function compiled(): () => string {
  let directory: string | undefined;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'layerd-'));
    await cp(join(root, 'package.json'), join(directory, 'package.json'));
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'), 'junction');
    // Vitest's global setup has compiled these.
    for (const folder of ['wasm', 'web'])
      await cp(join(root, 'dist', folder), join(directory, 'dist', folder), { recursive: true });
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const build = ['--project', 'tsconfig.build.json', '--outDir', join(directory, 'dist')];
    // Types are checked elsewhere, and nothing is built on this build.
    const once = ['--noCheck', '--incremental', 'false', '--tsBuildInfoFile', 'null'];
    await promisify(execFile)(process.execPath, [tsc, ...build, ...once], { cwd: root });
  });
  afterAll(async () => {
    if (directory) await rm(directory, { recursive: true });
  });
  return () => join(directory ?? '', 'dist', 'src', 'server.js');
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
  log(): LogLine[];
}

function run(entry: string, environment: Readonly<Record<string, string>>) {
  const { PATH = '' } = process.env;
  const child: ChildProcess = spawn(process.execPath, [entry], { env: { PATH, PROCESSES: '1', ...environment } });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
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

/** Runs the service until it ends by itself. */
export function runToEnd(entry: string, environment: Readonly<Record<string, string>>): Promise<Exit> {
  return run(entry, environment).exited;
}

/** To be called in a test: the service on a free port, ended with the test at the latest. */
export async function startProcess(
  entry: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningService> {
  const { child, output, exited } = run(entry, { PORT: '0', ...environment });
  const port = await vi.waitFor(
    () => {
      const match = /listening at http:\/\/(?:127\.0\.0\.1|\[::1\]):(\d+)/.exec(output.stdout);
      if (!match) throw new Error(`the service does not listen: ${output.stdout}${output.stderr}`);
      return Number(match[1]);
    },
    { timeout: 20_000 },
  );
  return {
    port,
    exited,
    kill: (signal) => child.kill(signal),
    log: () =>
      output.stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as LogLine),
  };
}
