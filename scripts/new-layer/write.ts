/** `npm run new-layer NAME`: writes the files of a new layer and enters it in the list of layers. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import process, { argv, cwd } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { withLayer } from './list.js';
import { templates } from './templates.js';

const root = pathToFileURL(`${cwd()}/`);
const REGISTRY = 'src/layers/registry.ts';

async function write(path: string, text: string): Promise<void> {
  const file = fileURLToPath(new URL(path, root));
  const options = await resolveConfig(file);
  await mkdir(new URL('.', new URL(path, root)), { recursive: true });
  await writeFile(file, path.endsWith('.ts') ? await format(text, { ...options, parser: 'typescript' }) : text);
  console.log(path);
}

const [name = ''] = argv.slice(2);
const taken = Object.keys(templates(name)).filter((path) => existsSync(new URL(path, root)));
if (!/^[a-z]+(_[a-z]+)*$/.test(name)) {
  console.error(`the name is "${name}"; expected lower-case words joined by underscores`);
  process.exitCode = 1;
} else if (taken.length > 0) {
  console.error(`${taken.join(', ')} already exists`);
  process.exitCode = 1;
} else {
  for (const [path, text] of Object.entries(templates(name))) await write(path, text);
  await write(REGISTRY, withLayer(await readFile(new URL(REGISTRY, root), 'utf8'), name));
}
