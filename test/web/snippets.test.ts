/** The requests to copy, each run against the service if its language is installed. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pages } from '../../web/layers/pages.js';
import { backwardRequest, forwardRequest, type ServiceRequest } from '../../web/state/request.js';
import { initialState, pageOf, stateOf, type State } from '../../web/state/state.js';
import { python, rawRust, shellQuoted } from '../../web/snippets/literal.js';
import { snippets } from '../../web/snippets/snippets.js';
import type { Nested } from '../../web/tensors/tensor.js';
import { runProgram } from '../support/children.js';
import { atScale } from '../support/scale.js';
import { serveAll } from '../support/service.js';

const service = serveAll();

interface Runner {
  /** The snippet's path, in a separate folder per language. */
  readonly file: string;
  readonly command: string;
  readonly args: readonly string[];
  /** What is missing to run it, if anything. */
  readonly missing: () => string | undefined;
  /** Other files that the folder needs. */
  readonly beside?: Readonly<Record<string, string>>;
  /** The first run may compile the snippet's dependencies. */
  readonly firstRunMs?: number;
}

const lacks = (command: string, version = '--version') =>
  spawnSync(command, [version]).status === 0 ? undefined : `${command} is not installed`;

/** Debian's packages of Rust crates, from which the dependencies are compiled; nothing is downloaded. */
const CRATES = '/usr/share/cargo/registry';
const cargo = existsSync('/usr/bin/cargo') ? '/usr/bin/cargo' : 'cargo';

/** Prints the answer from Python, in Python's notation. */
const PRINT_PYTHON = `import ast, contextlib, io, json, runpy
with contextlib.redirect_stdout(io.StringIO()) as printed:
    runpy.run_path("call.py")
print(json.dumps(ast.literal_eval(printed.getvalue())))
`;

/** R would print the result of the last line with seven digits; this prints the value before rounding. */
const PRINT_R = `answer <- source("call.R")$value
body <- resp_body_string(last_response())
stopifnot(identical(answer, jsonlite::fromJSON(body)))
cat(body)
`;

const runners: Readonly<Record<string, Runner>> = {
  curl: { file: 'call.sh', command: 'sh', args: ['call.sh'], missing: () => lacks('curl') },
  python: {
    file: 'call.py',
    command: 'python3',
    args: ['print.py'],
    missing: () => lacks('python3'),
    beside: { 'print.py': PRINT_PYTHON },
  },
  javascript: { file: 'call.mjs', command: process.execPath, args: ['call.mjs'], missing: () => undefined },
  go: { file: 'call.go', command: 'go', args: ['run', 'call.go'], missing: () => lacks('go', 'version') },
  rust: {
    file: 'src/main.rs',
    command: cargo,
    args: ['run', '--quiet', '--offline'],
    missing: () =>
      lacks(cargo) ??
      (existsSync(CRATES) && readdirSync(CRATES).some((name) => name.startsWith('reqwest-'))
        ? undefined
        : 'Debian’s librust-reqwest-dev is not installed'),
    beside: {
      // Without TLS, which takes minutes to compile and is not used here.
      'Cargo.toml': `[package]
name = "call"
version = "0.1.0"
edition = "2021"

[profile.dev]
debug = 0

[dependencies]
reqwest = { version = "*", default-features = false, features = ["blocking"] }
`,
      '.cargo/config.toml': `[source.crates-io]
replace-with = "debian"

[build]
target-dir = "${join(tmpdir(), 'layerd-snippet-crates')}"

[source.debian]
directory = "${CRATES}"
`,
    },
    // Two minutes on two cores, once: the compiled crates stay in the temporary folder.
    firstRunMs: 600_000,
  },
  java: { file: 'Call.java', command: 'java', args: ['Call.java'], missing: () => lacks('java') },
  r: {
    file: 'call.R',
    command: 'Rscript',
    args: ['--vanilla', 'print.R'],
    missing: () =>
      lacks('Rscript') ??
      (spawnSync('Rscript', ['-e', 'library(httr2)']).status === 0 ? undefined : 'httr2 of R is not installed'),
    beside: { 'print.R': PRINT_R },
  },
};

/** Languages on every machine that runs the tests; the others run only if they are installed. */
const REQUIRED = ['curl', 'python', 'javascript'];

function example(layer: string, called: string): State {
  const found = pageOf(layer).examples.find(({ name }) => name === called);
  if (!found) throw new Error(`${layer} has no example "${called}"`);
  return stateOf(layer, found);
}

const convolution = initialState('convolution');
const linear: State = {
  ...initialState('linear'),
  // Names for values that JSON lacks, exponents of both signs, and a negative zero.
  inputs: {
    x: [
      ['NaN', 1e-7, -0],
      ['-Infinity', 1e21, 0.1],
    ],
    weight: [[1, 0.5, -2]],
  },
  options: { dtype: 'float32' },
  upstream: { dout: [['Infinity'], [3]] },
};

const requests: readonly (readonly [string, ServiceRequest])[] = [
  ['options that are words, and four axes', forwardRequest(initialState('pooling'))],
  ['a forward request within', backwardRequest(initialState('pooling'))],
  [
    'options that are nested arrays',
    forwardRequest({
      ...convolution,
      options: {
        padding: [
          [2, 0],
          [0, 1],
        ],
        stride: [1, 2],
      },
    }),
  ],
  ['whole numbers and two directions', forwardRequest(example('lstm', 'Bidirectional, two lengths'))],
  ['gradients of all of them', backwardRequest(example('lstm', 'Bidirectional, two lengths'))],
  ['numbers that JSON has no digits for', forwardRequest(linear)],
  ['such numbers in a gradient', backwardRequest(linear)],
  [
    'true, false and a seed',
    forwardRequest({ ...initialState('dropout'), options: { training: true, seed: 2 ** 53 - 1 } }),
  ],
  ['what is refused, with the reason', forwardRequest({ ...initialState('rnn'), options: { direction: null } })],
  ['more than a shell takes for an argument', forwardRequest({ ...linear, inputs: large() })],
];

/** About 200 kB. */
function large(): Record<string, Nested> {
  const row = Array.from({ length: 100 }, (_, i) => 0.1234567 + i);
  return { x: Array.from({ length: 200 }, () => row), weight: [row.map(() => 0.01)] };
}

/** Treats both zeros as equal: Python and R read JSON's -0 as an integer, which has no sign. */
const plain = (json: string): unknown => JSON.parse(json, (_, value: unknown) => (Object.is(value, -0) ? 0 : value));

describe.each(atScale({ all: snippets, quick: snippets.filter(({ id }) => REQUIRED.includes(id)) }))(
  'the request in $language',
  ({ id, write }) => {
    const { file, command, args, beside = {}, missing, firstRunMs = 300_000 } = runners[id];
    const reason = missing();
    const isLeftOut = reason !== undefined && !REQUIRED.includes(id);

    let folder = '';
    const put = async (name: string, text: string) => {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    };
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'layerd-snippet-'));
      for (const [name, text] of Object.entries(beside)) await put(name, text);
    });
    afterAll(() => rm(folder, { recursive: true }));

    it.for(atScale({ all: requests, quick: requests.slice(0, 2) }))(
      'prints the answer of the service: %s',
      { timeout: firstRunMs },
      async ([, request], { skip }) => {
        skip(isLeftOut, reason);
        await put(file, write(service().url, request));
        const env = { ...process.env, no_proxy: '127.0.0.1', NO_PROXY: '127.0.0.1' };
        const { stdout } = await runProgram(command, args, { cwd: folder, env });
        const { text } = await service().client.post(request.path).send(request.body).buffer(true);
        expect(plain(stdout)).toEqual(plain(text));
      },
    );
  },
);

describe('a request to copy', () => {
  it.each(snippets)('in $language contains the address and the body of every layer', ({ write }) => {
    for (const { name } of pages) {
      const text = write('http://127.0.0.1:8080', forwardRequest(initialState(name)));
      expect(text).toContain(`http://127.0.0.1:8080/${name}/forward`);
      expect(text).toContain('session');
    }
  });
});

describe('literals', () => {
  it('of a shell escape quotes', () => {
    expect(shellQuoted(`it's`)).toBe(`'it'\\''s'`);
  });

  it('of Rust have as many hashes as they need', () => {
    expect(rawRust('a"b')).toBe('r#"a"b"#');
    expect(rawRust('a"#b')).toBe('r##"a"#b"##');
  });

  it('of Python use its own names', () => {
    expect(python({ a: null, b: [true, false] })).toBe('{\n    "a": None,\n    "b": [True, False],\n}');
  });
});
