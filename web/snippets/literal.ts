/** Text as string literals in the languages in which requests are shown. */

/** The text in pieces of at most `longest` characters. */
export const pieces = (text: string, longest: number): string[] =>
  Array.from({ length: Math.ceil(text.length / longest) }, (_, i) => text.slice(i * longest, (i + 1) * longest));

/** In single quotes, for a POSIX shell. */
export const shellQuoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The escapes of JSON are also valid in JavaScript, Java and Go. */
export const doubleQuoted = (text: string): string => JSON.stringify(text);

/** `r#"…"#` with as many hashes as the text requires. */
export function rawRust(text: string): string {
  const hashes = '#'.repeat(1 + Math.max(0, ...[...text.matchAll(/"(#*)/g)].map(([, run]) => run.length)));
  return `r${hashes}"${text}"${hashes}`;
}

/** JSON with each innermost array on one line. */
export function prettyJson(value: unknown, indent = ''): string {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const entries = value as readonly unknown[];
    if (!entries.some((entry) => Array.isArray(entry)))
      return `[${entries.map((entry) => JSON.stringify(entry)).join(', ')}]`;
    return `[\n${entries.map((entry) => inner + prettyJson(entry, inner)).join(',\n')}\n${indent}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(
      ([name, field]) => `${inner}${JSON.stringify(name)}: ${prettyJson(field, inner)}`,
    );
    return `{\n${fields.join(',\n')}\n${indent}}`;
  }
  return JSON.stringify(value);
}

/** A JSON value as a Python literal. */
export function python(value: unknown, indent = ''): string {
  const inner = `${indent}    `;
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value === null) return 'None';
  if (Array.isArray(value)) {
    const entries = value as readonly unknown[];
    if (!entries.some((entry) => Array.isArray(entry))) return `[${entries.map((entry) => python(entry)).join(', ')}]`;
    return `[\n${entries.map((entry) => `${inner}${python(entry, inner)},\n`).join('')}${indent}]`;
  }
  if (typeof value === 'object') {
    const fields = Object.entries(value).map(
      ([name, field]) => `${inner}${JSON.stringify(name)}: ${python(field, inner)},\n`,
    );
    return `{\n${fields.join('')}${indent}}`;
  }
  return JSON.stringify(value);
}
