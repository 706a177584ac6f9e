// Runs the README's curl examples, in their order and in one shell, against the built service, and compares each
// answer with the one that the README prints. "…" in a printed answer stands for any string.
import { spawn } from 'node:child_process';
import { isDeepStrictEqual } from 'node:util';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answerTo, examplesIn } from '../dist/scripts/reference/examples.js';

const examples = examplesIn(await readFile(new URL('../README.md', import.meta.url), 'utf8'));

const service = spawn(process.execPath, ['dist/src/server.js'], {
  env: { ...process.env, LOG_LEVEL: 'warn' },
  stdio: 'inherit',
});
const folder = await mkdtemp(join(tmpdir(), 'layerd-readme-'));

/** The token is the one thing that differs from run to run. */
const mask = (answer, printed) => (printed.session === '…' ? { ...answer, session: '…' } : answer);

async function untilReady() {
  for (
    const deadline = Date.now() + 10_000;
    Date.now() < deadline;
    await new Promise((resolve) => setTimeout(resolve, 50))
  )
    if (
      await fetch('http://127.0.0.1:8080/health/ready').then(
        (answer) => answer.ok,
        () => false,
      )
    )
      return;
  throw new Error('the built service is not ready after 10 s');
}

let failed = 0;
try {
  await untilReady();
  for (const example of examples) {
    // A later example may use what an earlier one wrote; all run in one folder, each on its own.
    const answered = await answerTo(example, undefined, folder);
    const printed = JSON.parse(example.answer);
    if (isDeepStrictEqual(mask(JSON.parse(answered), printed), printed)) continue;
    failed++;
    const { script, answer } = example;
    console.error(`README: this example answers otherwise.\n${script}\nprinted: ${answer}\nanswered: ${answered}\n`);
  }
} finally {
  service.kill('SIGTERM');
  await rm(folder, { recursive: true });
}
if (examples.length === 0) throw new Error('README.md has no examples');
console.log(`README examples: ${examples.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
