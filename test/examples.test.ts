/** Runs the examples against the service, as a reader would. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { freePort } from '../bench/service.js';
import { convolutionalRecipe } from '../examples/train-digits/convolutional.js';
import { loadDigits } from '../examples/train-digits/digits.js';
import { linearRecipe } from '../examples/train-digits/linear.js';
import { train } from '../examples/train-digits/training.js';
import { runProgram, type Output } from './support/children.js';
import { isLeftOut } from './support/programs.js';
import { atScale } from './support/scale.js';
import { serve, serveAll } from './support/service.js';

type Fields = Record<string, unknown>;

/** More than a hundred times as long as any example takes; it only ends a program that hangs. */
const HOPELESS_MS = 120_000;

/** The tensors of a batchnorm; each is falsified in a separate run of every client. */
const WRONG = atScale({ all: ['out', 'mean', 'var', 'dx', 'dgamma', 'dbeta'], quick: ['out', 'dx'] });

const examples = fileURLToPath(new URL('../examples/', import.meta.url));

function run(command: string, args: readonly string[]): Promise<Output> {
  // On a machine with an HTTP proxy, requests to loopback must bypass it.
  const env = { ...process.env, no_proxy: '127.0.0.1', NO_PROXY: '127.0.0.1' };
  return runProgram(command, args, { env, timeout: HOPELESS_MS });
}

function need(program: string, { skip }: TestContext): void {
  skip(isLeftOut(program), `${program} is not installed`);
}

/** A server for one test, on a free port. */
async function listen(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Proxies between a client and the service, and changes requests or answers. */
function between(service: string, change: { request?: (body: Fields) => void; answer?: (body: Fields) => void }) {
  return listen((request, response) => {
    void (async () => {
      const body = JSON.parse(await text(request)) as Fields;
      change.request?.(body);
      const answer = await fetch(service + (request.url ?? ''), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(HOPELESS_MS),
      });
      const fields = (await answer.json()) as Fields;
      change.answer?.(fields);
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
      response.end(JSON.stringify(fields));
    })();
  });
}

/** An address at which nothing listens: the port was free, and is not assigned to programs that ask for any port. */
const deadPort = async () => `http://127.0.0.1:${await freePort()}`;

/** Adds to the first number of a nested array. */
function falsify(nested: unknown, by: number): unknown {
  if (typeof nested === 'number') return nested + by;
  const [first, ...rest] = nested as unknown[];
  return [falsify(first, by), ...rest];
}

describe('the clients', () => {
  const service = serveAll();
  let folder: string;

  // Plain Node.js of every supported version runs only JavaScript.
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'layerd-examples-'));
    const source = await readFile(join(examples, 'clients/batchnorm.ts'), 'utf8');
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    await writeFile(join(folder, 'batchnorm.mjs'), outputText);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const clients = [
    { file: 'batchnorm.py', needs: 'python3', command: () => ['python3', join(examples, 'clients/batchnorm.py')] },
    { file: 'batchnorm.sh', needs: 'curl', command: () => ['sh', join(examples, 'clients/batchnorm.sh')] },
    { file: 'batchnorm.ts', needs: process.execPath, command: () => [process.execPath, join(folder, 'batchnorm.mjs')] },
  ];

  describe.each(clients)('$file', ({ needs, command }) => {
    beforeEach((context) => {
      need(needs, context);
    });

    const against = (base: string) => {
      const [program, ...args] = command();
      return run(program, [...args, base]);
    };

    it('prints the right answers and exits with 0', async () => {
      const { code, stdout, stderr } = await against(service().url);
      expect(stderr).toBe('');
      expect(stdout.replaceAll(' ', '').split('\n')).toEqual([
        'out[[7,-1],[-3,2.5],[-1,-3],[1,-0.5]]',
        'mean[1,2]',
        'var[3.5,15.5]',
        'dx[[-0.75,0.4375],[-4.25,-0.625],[5.25,-0.8125],[-0.25,1]]',
        'dgamma[2,-2]',
        'dbeta[2.5,4]',
        '',
      ]);
      expect(code).toBe(0);
    });

    it.each(WRONG)('fails if %s is wrong', async (name) => {
      const wrong = await between(service().url, {
        answer(fields) {
          if (name in fields) fields[name] = falsify(fields[name], 1e-6);
        },
      });
      const { code, stderr } = await against(wrong);
      expect(stderr).toContain(`${name} is wrong`);
      expect(code).toBe(1);
    });

    it('fails if a gradient is missing', async () => {
      const poorer = await between(service().url, {
        answer(fields) {
          delete fields.dgamma;
        },
      });
      const { code, stderr } = await against(poorer);
      expect(stderr).toContain('dgamma is wrong');
      expect(code).toBe(1);
    });

    it('fails with the error message of the service if it refuses', async () => {
      const damaging = await between(service().url, {
        request(fields) {
          if ('gamma' in fields) fields.gamma = [4];
        },
      });
      const { code, stderr } = await against(damaging);
      expect(stderr).toContain('gamma has shape [1]; expected [2], because x has 2 channels');
      expect(code).toBe(1);
    });

    it('fails if nothing listens', async () => {
      const { code, stderr } = await against(await deadPort());
      expect(stderr).toMatch(/refused|connect/i);
      expect(code).toBe(1);
    });
  });
});

describe('the checks of a batchnorm with a mistake', () => {
  const service = serveAll();

  it('in Python prints the mistake and the fix, and passes without the mistake', async (context) => {
    need('python3', context);
    const program = join(examples, 'check/batchnorm.py');
    const { code, stdout, stderr } = await run('python3', [program, service().url]);
    expect(stderr).toBe('');
    expect(stdout.split('\n').map((line) => line.trim().replaceAll(/ +/g, ' '))).toEqual([
      'out right',
      'dx wrong',
      expect.stringMatching(/^statistics_taken_for_constants: Mean and variance were treated as constants/),
      expect.stringMatching(/^instead: dx = gamma · rstd · \(/),
      'dgamma right',
      'dbeta right',
      '',
    ]);
    expect(code).toBe(0);
    const mended = await run('python3', [program, service().url, 'mended']);
    expect(mended.stdout).not.toContain('wrong');
    expect((await run('python3', [program, await deadPort()])).code).toBe(1);
  });

  it('in a shell prints the mistake and the fix', async (context) => {
    need('curl', context);
    const program = join(examples, 'check/batchnorm.sh');
    const { code, stdout, stderr } = await run('sh', [program, service().url]);
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toEqual([
      'dx is wrong: gamma_missing_in_dx',
      expect.stringMatching(/gamma is missing\.$/),
      'instead: dx̂ = dout · gamma, and dx from dx̂',
      '',
    ]);
    expect(code).toBe(0);
    expect((await run('sh', [program, await deadPort()])).code).toBe(1);
  });
});

describe('train-digits', () => {
  const TRAINING_TIMEOUT_MS = 1_200_000;

  it('holds out 200 images of each digit, which training never sees, and the same ones for the same seed', () => {
    const { training, heldOut } = loadDigits(1);
    expect(training).toHaveLength(8000);
    expect(heldOut).toHaveLength(2000);
    for (let digit = 0; digit < 10; digit++) expect(heldOut.filter(({ label }) => label === digit)).toHaveLength(200);
    const key = ({ x }: { x: { data: Float32Array } }) => x.data.join();
    const seen = new Set(training.map(key));
    expect(heldOut.filter((sample) => seen.has(key(sample)))).toEqual([]);
    expect(loadDigits(1).heldOut.map(key)).toEqual(heldOut.map(key));
  });

  const networks = [
    { network: 'linear', recipe: linearRecipe, least: 0.93, steps: 625, layers: ['batchnorm', 'dropout', 'linear'] },
    {
      network: 'convolutional',
      recipe: convolutionalRecipe,
      least: 0.97,
      steps: 640,
      layers: ['batchnorm', 'convolution', 'linear', 'pooling'],
    },
  ];

  describe.each(networks)('the $network network', ({ recipe, least, steps, layers }) => {
    const service = serveAll();

    it.runIf(atScale({ all: true, quick: false }))(
      `recognises at least ${100 * least} % of 2,000 held-out digits, and leaves no session behind`,
      async () => {
        const lines: string[] = [];
        const { accuracy, heldOut, requests } = await train(service().url, recipe, (line) => lines.push(line));
        expect(heldOut).toBe(2000);
        expect(accuracy, lines.join('\n')).toBeGreaterThanOrEqual(least);
        expect(lines).toHaveLength(Math.floor(steps / 25));
        const last = lines[lines.length - 1];
        expect(last).toMatch(/^epoch \d\/\d {2}step \d+\/\d+ {2}loss \d\.\d{3} {2}accuracy \d+\.\d % {2}requests \d+$/);
        expect(last).toContain(`epoch ${recipe.epochs}/${recipe.epochs}  step ${25 * lines.length}/${steps}`);
        const metrics = await service().client.get('/metrics');
        expect(metrics.text).toMatch(/^layerd_sessions 0$/m);
        const routes = service().log.map(({ route }) => String(route));
        const layerRoutes = routes.filter((route) => /\/(forward|backward)$/.test(route));
        expect(layerRoutes).toHaveLength(requests);
        for (const layer of layers)
          for (const direction of ['forward', 'backward']) expect(layerRoutes).toContain(`/${layer}/${direction}`);
      },
      TRAINING_TIMEOUT_MS,
    );

    it('reports the error if nothing listens, and if the service refuses', async () => {
      const print = () => undefined;
      await expect(train(await deadPort(), recipe, print)).rejects.toThrow(
        /^POST .*\/(pooling|convolution)\/forward: no answer: .*ECONNREFUSED/,
      );
      const { url } = await serve({ BODY_LIMIT_BYTES: '1000' });
      await expect(train(url, recipe, print)).rejects.toThrow(
        /^POST .*\/(pooling|convolution)\/forward: 413 Request body too large: .*1000/,
      );
    });
  });
});
