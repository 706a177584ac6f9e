// Runs the examples of the documentation in order against the compiled service, and compares each answer with the one
// printed below it. "…" as a printed session matches any token.
import { isDeepStrictEqual } from 'node:util';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withService } from '../dist/bench/service.js';
import { answerTo, examplesIn } from '../dist/scripts/reference/examples.js';

const PAGES = ['README.md', 'docs/api.md'];
const examples = [];
for (const page of PAGES) {
  const found = examplesIn(await readFile(new URL(`../${page}`, import.meta.url), 'utf8'));
  if (found.length === 0) throw new Error(`${page} has no examples`);
  examples.push(...found.map((example) => ({ page, ...example })));
}

/** Only the token differs from run to run. */
const mask = (answer, printed) => (printed.session === '…' ? { ...answer, session: '…' } : answer);

// withService ends the service on `exit`, which a signal does not emit by itself.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const folder = await mkdtemp(join(tmpdir(), 'layerd-examples-'));
let failed = 0;
try {
  await withService({}, async (url) => {
    for (const example of examples) {
      // Each example runs in a separate shell, all in one folder: later ones read files that earlier ones wrote.
      const answered = await answerTo(example, url, folder);
      const printed = JSON.parse(example.answer);
      if (isDeepStrictEqual(mask(JSON.parse(answered), printed), printed)) continue;
      failed++;
      const { page, script, answer } = example;
      console.error(`${page}: the answer has changed.\n${script}\nprinted: ${answer}\nanswered: ${answered}\n`);
    }
  });
} finally {
  await rm(folder, { recursive: true });
}
console.log(`Examples in ${PAGES.join(' and ')}: ${examples.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
