/** Clients generated from the OpenAPI document: they compile in strict mode, and compute the same as the service. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createClient } from '@hey-api/openapi-ts';
import openapiTS, { astToString, type OpenAPI3 } from 'openapi-typescript';
import ts from 'typescript';
import { expect, it, onTestFinished, vi } from 'vitest';
import { call, serveAll } from '../support/service.js';

// A generator compiles for half a minute on a busy machine.
vi.setConfig({ testTimeout: 600_000 });

const service = serveAll();

/** Within the package, so that the generated code finds other packages. */
function folder(): string {
  const parent = fileURLToPath(new URL('../../dist/', import.meta.url));
  mkdirSync(parent, { recursive: true });
  const path = mkdtempSync(join(parent, 'generated-'));
  onTestFinished(() => {
    rmSync(path, { recursive: true });
  });
  return path;
}

async function documentOf(): Promise<OpenAPI3> {
  return (await service().client.get('/openapi.json').expect(200)).body as OpenAPI3;
}

/** Code that uses a generated client, compiled with TypeScript's strictest options. */
async function compiled(path: string, program: string): Promise<{ train: (baseUrl: string) => Promise<unknown> }> {
  const entry = join(path, 'train.ts');
  writeFileSync(entry, program);
  const built = ts.createProgram([entry], {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
    types: [],
  });
  const faults = [...ts.getPreEmitDiagnostics(built), ...built.emit().diagnostics];
  expect(faults.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
  return (await import(pathToFileURL(join(path, 'train.js')).href)) as { train: (baseUrl: string) => Promise<unknown> };
}

const forward = { x: [[[1, 2, 3, 4]]], weight: [[[1, 0, -1]]], bias: [0.5], padding: [[1, 2]] };
const dout = [[[1, 2, 3, 4, 5]]];

/** Forward with a session, backward, and the error for a ragged tensor. */
async function direct(): Promise<unknown> {
  const { session, out } = await call(service(), 'convolution/forward', forward);
  const gradients = await call(service(), 'convolution/backward', { session, dout });
  return { out, gradients, type: '/problems/ragged-tensor' };
}

it('openapi-typescript and openapi-fetch compute forward and backward', async () => {
  const path = folder();
  writeFileSync(join(path, 'api.ts'), astToString(await openapiTS(await documentOf())));
  const { train } = await compiled(
    path,
    `import createClient from 'openapi-fetch';
     import type { components, paths } from './api.js';

     export async function train(baseUrl: string) {
       const client = createClient<paths, 'application/json' | 'application/problem+json'>({ baseUrl });
       const x: components['schemas']['Tensor3'] = ${JSON.stringify(forward.x)};
       const forward = await client.POST('/convolution/forward', {
         body: { x, weight: ${JSON.stringify(forward.weight)}, bias: [0.5], padding: [[1, 2]] },
       });
       if (forward.error) throw new Error(forward.error.detail);
       const { session, out } = forward.data;
       if (session === undefined) throw new Error('no session');
       const backward = await client.POST('/convolution/backward', { body: { session, dout: ${JSON.stringify(dout)} } });
       if (backward.error) throw new Error(backward.error.detail);
       const ragged = await client.POST('/linear', { body: { x: [[1], [2, 3]], weight: [[1]] } });
       return { out, gradients: backward.data, type: ragged.error?.type };
     }`,
  );
  expect(await train(service().url)).toEqual(await direct());
});

it('the generator of Hey API computes forward and backward', async () => {
  const path = folder();
  await createClient({
    // The generator changes its input, so it receives a copy.
    input: { ...(await documentOf()) },
    output: { path: join(path, 'api'), importFileExtension: '.js' },
    logs: { level: 'silent' },
    plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
  });
  const { train } = await compiled(
    path,
    `import { client } from './api/client.gen.js';
     import { convolutionBackward, convolutionForward, linear, type ConvolutionForwardData, type Tensor } from './api/index.js';

     export async function train(baseUrl: string) {
       client.setConfig({ baseUrl });
       const x: Tensor = ${JSON.stringify(forward.x)};
       const body: ConvolutionForwardData['body'] = { x, weight: ${JSON.stringify(forward.weight)}, bias: [0.5], padding: [[1, 2]] };
       const { session, out } = (await convolutionForward({ body, throwOnError: true })).data;
       if (session === undefined) throw new Error('no session');
       const backward = await convolutionBackward({ body: { session, dout: ${JSON.stringify(dout)} }, throwOnError: true });
       const ragged = await linear({ body: { x: [[1], [2, 3]], weight: [[1]] } });
       return { out, gradients: backward.data, type: ragged.error?.type };
     }`,
  );
  expect(await train(service().url)).toEqual(await direct());
});
