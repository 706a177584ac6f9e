/** `npm run key -- NAME`: creates a key, prints it once, and prints the line for `API_KEYS_FILE`. */
import { makeKey } from './keys.js';

const names = process.argv.slice(2);
try {
  if (names.length !== 1) throw new Error('expected one name: npm run key -- NAME');
  const { key, line } = makeKey(names[0]);
  process.stderr.write('The key for the client. It is not shown again:\n');
  process.stdout.write(`${key}\n`);
  process.stderr.write('The line for API_KEYS_FILE:\n');
  process.stdout.write(`${line}\n`);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
