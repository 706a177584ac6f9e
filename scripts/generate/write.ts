/** `npm run generate`: writes the generated source files. */
import { writeFile } from 'node:fs/promises';
import { cwd } from 'node:process';
import { pathToFileURL } from 'node:url';
import { generated } from './generate.js';

const root = pathToFileURL(`${cwd()}/`);
for (const [path, text] of await generated(root)) await writeFile(new URL(path, root), text);
