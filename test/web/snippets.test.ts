/** Requests to copy, each run where its language is there, against the service. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { pages } from '../../web/layers/pages.js';
import { backwardRequest, forwardRequest } from '../../web/state/request.js';
import { initialState } from '../../web/state/state.js';
import { rawRust, shellQuoted } from '../../web/snippets/literal.js';
import { snippets } from '../../web/snippets/snippets.js';
import { serveAll } from '../support/service.js';

const service = serveAll();

/** How each is run; those that need a compiler or a package besides are only read. */
const runners: Readonly<Record<string, { file: string; command: string; args: readonly string[]; version?: string }>> =
  {
    curl: { file: 'call.sh', command: 'sh', args: ['call.sh'] },
    python: { file: 'call.py', command: 'python3', args: ['call.py'] },
    javascript: { file: 'call.mjs', command: process.execPath, args: ['call.mjs'] },
    java: { file: 'Call.java', command: 'java', args: ['Call.java'] },
    go: { file: 'call.go', command: 'go', args: ['run', 'call.go'], version: 'version' },
  };

/** Those that .ci/run installs; the others where they happen to be there. */
const REQUIRED = ['curl', 'python', 'javascript'];

function need(id: string, { skip }: TestContext): void {
  const { command, version = '--version' } = runners[id];
  const missing = command !== 'sh' && spawnSync(command, [version]).error !== undefined;
  skip(missing && (process.env.CI !== 'true' || !REQUIRED.includes(id)), `${command} is not installed`);
}

async function run(id: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'layerd-snippet-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { file, command, args } = runners[id];
  await writeFile(join(folder, file), text);
  const env = { ...process.env, no_proxy: '127.0.0.1', NO_PROXY: '127.0.0.1' };
  const { stdout } = await promisify(execFile)(command, args, { cwd: folder, env, timeout: 50_000 });
  return stdout;
}

describe.each(Object.keys(runners))('the request in %s', (id) => {
  it('gives what the service answers', async (context) => {
    need(id, context);
    const snippet = snippets.find((each) => each.id === id);
    if (!snippet) throw new Error(id);
    const state = initialState('pooling');
    for (const request of [forwardRequest(state), backwardRequest(state)]) {
      const answer = (await service().client.post(request.path).send(request.body).expect(200)).body as object;
      const printed = await run(id, snippet.write(service().url, request));
      const [name, tensor] = Object.entries(answer)[0] as [string, unknown];
      // Python and JavaScript print their own notation: the same numbers in the same order.
      expect(printed).toContain(name);
      if (id !== 'javascript')
        expect(printed.match(/-?[\d.]+(e-?\d+)?/g)?.map(Number)).toEqual((tensor as number[]).flat(Infinity));
    }
  });
});

describe('a request to copy', () => {
  it.each(snippets)('in $language names the address and the body of every layer', ({ write }) => {
    for (const { name } of pages) {
      const text = write('http://127.0.0.1:8080', forwardRequest(initialState(name)));
      expect(text).toContain(`http://127.0.0.1:8080/${name}/forward`);
      expect(text).toContain('session');
    }
  });
});

describe('literals', () => {
  it('of a shell hold quotes', () => {
    expect(shellQuoted(`it's`)).toBe(`'it'\\''s'`);
  });

  it('of Rust have as many hashes as they need', () => {
    expect(rawRust('a"b')).toBe('r#"a"b"#');
    expect(rawRust('a"#b')).toBe('r##"a"#b"##');
  });
});
