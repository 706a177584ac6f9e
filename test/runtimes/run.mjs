/**
 * Tests the compiled service on the releases of Node.js that are pinned in this folder: it starts, answers in both
 * formats and on a thread, and exits at SIGTERM without output on stderr. Then the suites of kernels, codec, layers and
 * HTTP run on all releases except the first, which `npm test` covers in continuous integration.
 */
import { deepStrictEqual, strictEqual } from 'node:assert';
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const RELEASES = [20, 24, 26];
const SUITES = [
  'test/kernels',
  'test/codec',
  'test/layers',
  'test/platform',
  'test/http/binary',
  'test/http/catalogue',
  'test/http/errors',
  'test/http/inference',
  'test/http/sessions',
];

const root = fileURLToPath(new URL('../..', import.meta.url));
const pathOf = (release) => fileURLToPath(new URL(`node_modules/node-${release}/bin/node`, import.meta.url));

const JSON_TYPE = 'application/json';
const SAFETENSORS = 'application/vnd.safetensors';

function safetensors(tensors, metadata = {}) {
  let end = 0;
  const header = { __metadata__: metadata };
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    header[name] = { dtype: 'F64', shape, data_offsets: [end, end + 8 * values.length] };
    end += 8 * values.length;
  }
  const text = JSON.stringify(header);
  const head = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(head.length));
  const data = Float64Array.from(Object.values(tensors).flatMap(({ values }) => values));
  return Buffer.concat([length, head, Buffer.from(data.buffer)]);
}

function readSafetensors(bytes) {
  const start = 8 + Number(bytes.readBigUInt64LE());
  const { __metadata__: metadata = {}, ...tensors } = JSON.parse(bytes.subarray(8, start).toString());
  const values = Object.entries(tensors).map(
    ([
      name,
      {
        data_offsets: [from, to],
      },
    ]) => [name, Array.from({ length: (to - from) / 8 }, (_, i) => bytes.readDoubleLE(start + from + 8 * i))],
  );
  return { ...Object.fromEntries(values), session: metadata.session && JSON.parse(metadata.session) };
}

async function answers(port) {
  const post = async (path, type, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: { 'content-type': type, connection: 'close' },
      body,
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    strictEqual(answer.status, 200, bytes.toString());
    return type === JSON_TYPE ? JSON.parse(bytes.toString()) : readSafetensors(bytes);
  };
  const x = { shape: [1, 2], values: [1, 2] };
  const weight = { shape: [1, 2], values: [3, 4] };
  const dout = { shape: [1, 1], values: [1] };

  const json = (fields) => JSON.stringify(fields);
  const forward = await post('/linear/forward', JSON_TYPE, json({ x: [[1, 2]], weight: [[3, 4]] }));
  deepStrictEqual(forward.out, [[11]]);
  const backward = await post('/linear/backward', JSON_TYPE, json({ session: forward.session, dout: [[1]] }));
  deepStrictEqual(backward, { dx: [[3, 4]], dweight: [[1, 2]] });

  const packed = await post('/linear/forward', SAFETENSORS, safetensors({ x, weight }));
  deepStrictEqual(packed.out, [11]);
  const session = json(packed.session);
  const gradients = await post('/linear/backward', SAFETENSORS, safetensors({ dout }, { session }));
  deepStrictEqual(
    [gradients.dx, gradients.dweight],
    [
      [3, 4],
      [1, 2],
    ],
  );

  // More JSON than the event loop reads itself, so a thread computes with the module that the main thread compiled.
  const ones = Array.from({ length: 400 }, () => Array(400).fill(1));
  const { out } = await post('/linear', JSON_TYPE, json({ x: ones, weight: [ones[0]], session: false }));
  deepStrictEqual(out, Array(400).fill([400]));
}

async function service(node) {
  const { PATH } = process.env;
  // No limit on the event-loop delay: answers must not depend on how busy the machine is.
  const env = { PATH, PORT: '0', PROCESSES: '2', EVENT_LOOP_DELAY_LIMIT_MS: '0' };
  const child = spawn(node, ['dist/service/server.js'], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  try {
    const ports = [];
    for await (const line of createInterface({ input: child.stdout })) {
      const [, port] = /listening at http:\/\/127\.0\.0\.1:(\d+)/.exec(line) ?? [];
      if (port) ports.push(port);
      if (ports.length === 2) break;
    }
    strictEqual(ports.length, 2, `the service does not listen: ${stderr}`);
    child.stdout.resume();
    await answers(ports[0]);
    child.kill('SIGTERM');
    deepStrictEqual([...(await ended), stderr], [0, null, '']);
  } finally {
    child.kill('SIGKILL');
  }
}

async function suites(node) {
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=dot', ...SUITES];
  const child = spawn(node, vitest, { cwd: root, stdio: 'inherit' });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const [code] = await once(child, 'close');
  process.off('exit', kill);
  strictEqual(code, 0, 'the suites failed');
}

for (const release of RELEASES) {
  const node = pathOf(release);
  if (!existsSync(node)) {
    console.log(`Node.js ${release}: not tested, there is no pinned build for ${process.platform}-${process.arch}`);
    continue;
  }
  await service(node);
  console.log(`Node.js ${release}: the built service starts, answers and stops`);
  if (release !== RELEASES[0]) await suites(node);
}
