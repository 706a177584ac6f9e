/**
 * Whole requests: the built service beside the servers that a user would pick instead, by the load generator that
 * stands beside this repository, `../shared/peers` (or PEERS=FOLDER). `node dist/bench/requests.js [SECONDS a cell]`.
 *
 * Which peers run is found by asking their ports; the service is started here, on a port of its own. The generator
 * compares every answer with its fixtures before it times one.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = process.env.PEERS ?? join(root, '..', 'shared', 'peers');
const seconds = process.argv[2] ?? '3';
const PORT = '18480';

/** Of the peers that are compared, with their ports. */
const PEERS = { 'FastAPI and PyTorch': 8101, 'plain Fastify': 8102 };

const answers = (port: number | string, path: string) =>
  fetch(`http://127.0.0.1:${port}${path}`).then(
    ({ ok }) => ok,
    () => false,
  );

async function untilReady(): Promise<void> {
  for (const end = Date.now() + 10_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 100)))
    if (await answers(PORT, '/health/ready')) return;
  throw new Error('the service is not ready after 10 s');
}

async function generate(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [join(folder, 'load.mjs'), ...args], { stdio: 'inherit' });
  await once(child, 'exit');
}

if (!existsSync(join(folder, 'load.mjs')) || !existsSync(join(folder, '.fixtures'))) {
  console.log(`\nWhole requests are left out: ${folder} has no load generator with fixtures (its README says how).`);
} else {
  const service = spawn(process.execPath, [join(root, 'dist', 'src', 'server.js')], {
    env: { ...process.env, PORT, LOG_LEVEL: 'warn' },
    stdio: 'inherit',
  });
  try {
    await untilReady();
    const ours = `http://127.0.0.1:${PORT}`;
    const running = [];
    for (const [name, port] of Object.entries(PEERS))
      if (await answers(port, '/health/live')) running.push({ name, port });
    if (running.length === 0) {
      console.log('\nNo peer runs; the service alone, forward:');
      await generate(['run', '--base', ours, '--seconds', seconds]);
    }
    for (const { name, port } of running) {
      const pair = ['--a', ours, '--b', `http://127.0.0.1:${port}`, '--label-a', 'layerd', '--label-b', name];
      console.log(`\nBeside ${name}, forward:`);
      await generate(['compare', ...pair, '--seconds', seconds]);
    }
  } finally {
    service.kill('SIGTERM');
    await once(service, 'exit');
  }
}
