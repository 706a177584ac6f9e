/** Runs the Python side of a benchmark in a process; see `bench/python/serve.py`. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Side } from './rounds.js';

/** Not the Python in PATH, because Debian's python3-torch and python3-numpy belong to this one. */
const PYTHON = '/usr/bin/python3';

export class Python {
  private readonly folder = mkdtempSync(join(tmpdir(), 'layerd-bench-'));
  private readonly lines: AsyncIterator<string>;

  private constructor(private readonly child: ChildProcessByStdio<Writable, Readable, null>) {
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Versions of the libraries found, by name. */
  libraries: Readonly<Record<string, string>> = {};

  /** @returns undefined if there is no Python or no NumPy */
  static async start(script: 'kernels' | 'cost'): Promise<Python | undefined> {
    const file = fileURLToPath(new URL(`../../bench/python/${script}.py`, import.meta.url));
    const env = { ...process.env, OPENBLAS_NUM_THREADS: '1', OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };
    const child = spawn(PYTHON, ['-B', file], { env, stdio: ['pipe', 'pipe', 'ignore'] });
    child.on('error', () => undefined);
    const python = new Python(child);
    const hello = await python.lines.next();
    if (!hello.done) {
      python.libraries = JSON.parse(hello.value) as Record<string, string>;
      return python;
    }
    python.removeFolder();
    return undefined;
  }

  /** Writes a file whose path can be used in a request. */
  file(name: string, pieces: readonly Uint8Array[]): string {
    const path = join(this.folder, name);
    writeFileSync(path, Buffer.concat(pieces));
    return path;
  }

  /** @returns the answer's bytes */
  async prepare(key: string, request: object): Promise<Buffer> {
    const answer = join(this.folder, 'answer');
    await this.ask({ ...request, prepare: key, answer });
    return readFileSync(answer);
  }

  side(name: string, key: string, of: 'fastest' | 'average'): Side {
    return { name, time: async (seconds) => (await this.ask({ time: key, seconds }))[of] };
  }

  /** Releases all prepared functions and their inputs. */
  async clear(): Promise<void> {
    await this.ask({ forget: true });
  }

  async stop(): Promise<void> {
    this.child.stdin.end();
    if (this.child.exitCode === null) await once(this.child, 'exit');
    this.removeFolder();
  }

  private removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async ask(request: object): Promise<Record<string, number>> {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    const line = await this.lines.next();
    if (line.done) throw new Error(`Python ended at ${JSON.stringify(request)}`);
    return JSON.parse(line.value) as Record<string, number>;
  }
}
