/**
 * Programs that tests start. Each is ended with the test or suite that started it. If the test process ends first, by a
 * signal or a crash, a guardian ends them: a shell that reads from a pipe which programs are running, and kills the
 * remaining ones when the pipe closes.
 */
import {
  execFile,
  spawn,
  type ChildProcess,
  type ChildProcessByStdio,
  type ExecFileOptions,
  type SpawnOptions,
} from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';

const GUARD = `
  left=' '
  while read -r change pid; do
    case $change in
      start) left="$left$pid " ;;
      end) left="\${left%% $pid *} \${left#* $pid }" ;;
    esac
  done
  kill -KILL $left 2>/dev/null`;

let guardian: ChildProcessByStdio<Writable, null, null> | undefined;

function tell(change: 'start' | 'end', { pid }: ChildProcess): void {
  if (!guardian) {
    // In a separate process group, so that Ctrl-C does not reach it.
    guardian = spawn('sh', ['-c', GUARD], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    guardian.unref();
    // The pipe, which is a socket here, must not keep this process alive either.
    (guardian.stdin as Writable & { unref(): void }).unref();
  }
  guardian.stdin.write(`${change} ${pid}\n`);
}

function guarded<Child extends ChildProcess>(child: Child): Child {
  if (child.pid === undefined) return child;
  tell('start', child);
  child.once('exit', () => {
    tell('end', child);
  });
  return child;
}

export interface Started {
  readonly child: ChildProcess;
  /** Kills it with SIGKILL if it is still running, and waits for it to exit. */
  readonly end: () => Promise<void>;
}

/** Starts a program. The caller must end it, in a hook that runs even if the test fails. */
export function start(command: string, args: readonly string[], options: SpawnOptions): Started {
  const child = guarded(spawn(command, args, options));
  return {
    child,
    async end() {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program until it exits, with any status.
 * @throws if it cannot be started, or is ended by a signal
 */
export function runProgram(command: string, args: readonly string[], options: ExecFileOptions = {}): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      { maxBuffer: 2 ** 26, ...options, encoding: 'utf8' },
      (error, stdout, stderr) => {
        const code = error ? error.code : 0;
        if (typeof code === 'number') resolve({ code, stdout, stderr });
        else reject(new Error(`${command} did not come to its end: ${stderr}`, { cause: error }));
      },
    );
    guarded(child);
  });
}
