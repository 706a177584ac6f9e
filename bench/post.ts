/** Runs clients in separate processes; see bench/poster.ts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { MediaType } from '../src/codec/codecs.js';

export interface Request {
  readonly path: string;
  readonly type: MediaType;
  readonly body: Buffer;
}

interface Poster {
  /** The next line that it prints. */
  line(): Promise<string>;
  stop(): Promise<void>;
}

export function startPoster(url: string, { path, type, body }: Request, connections: number, seconds: number): Poster {
  const file = fileURLToPath(new URL('./poster.js', import.meta.url));
  const args = [file, url + path, type, String(connections), String(seconds)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.end(body);
  return {
    async line() {
      const line = await lines.next();
      if (line.done) throw new Error(`the client of ${path} ended early`);
      return line.value;
    },
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** @returns the time of each answer in milliseconds */
export async function post(url: string, request: Request, connections: number, seconds: number): Promise<number[]> {
  const poster = startPoster(url, request, connections, seconds);
  try {
    await poster.line();
    return JSON.parse(await poster.line()) as number[];
  } finally {
    await poster.stop();
  }
}
