/** The manifests of `deploy/` as they are applied: every YAML document, and every kustomization resolved. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

export const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));

export type Values = Readonly<Record<string, unknown>>;

export interface Manifest extends Values {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/**
 * @param file path below `deploy/`
 * @throws {Error} with all errors and warnings, including duplicate keys
 */
export function documentsOf(file: string): unknown[] {
  // Only compose.yaml uses merge keys; Kubernetes files have none.
  const documents = parseAllDocuments(readFileSync(join(deploy, file), 'utf8'), { merge: true });
  return documents.map((document) => {
    const wrong = [...document.errors, ...document.warnings];
    if (wrong.length > 0) throw new Error(wrong.map(({ message }) => `${file}: ${message}`).join('\n'));
    return document.toJS() as unknown;
  });
}

/** Every file below a folder of `deploy/`. */
export function filesIn(folder: string): string[] {
  const names = readdirSync(join(deploy, folder), { recursive: true, encoding: 'utf8' });
  return names.map((name) => join(folder, name)).filter((name) => statSync(join(deploy, name)).isFile());
}

interface Generator {
  readonly name: string;
  readonly behavior?: 'merge';
  readonly literals?: readonly string[];
  readonly files?: readonly string[];
}

interface Kustomization {
  readonly namespace?: string;
  readonly resources?: readonly string[];
  readonly patches?: readonly { readonly path: string }[];
  readonly configMapGenerator?: readonly Generator[];
  readonly images?: readonly { readonly name: string; readonly newName?: string; readonly newTag?: string }[];
}

/** The supported fields of a kustomization: all that `deploy/` uses. */
const UNDERSTOOD = ['apiVersion', 'kind', 'namespace', 'resources', 'patches', 'configMapGenerator', 'images'];

export interface Built {
  readonly objects: readonly Manifest[];
  /** The files that were read for it, as paths below `deploy/`. */
  readonly files: readonly string[];
}

/** The output of `kubectl kustomize FOLDER`, except for the hashes at the end of generated names. */
export function build(folder: string): Built {
  const file = join(folder, 'kustomization.yaml');
  const kustomization = documentsOf(file)[0] as Kustomization;
  const unknown = Object.keys(kustomization).filter((field) => !UNDERSTOOD.includes(field));
  if (unknown.length > 0) throw new Error(`${file} has ${unknown.join(', ')}, which is not understood here`);
  const files = [file];
  let objects: Manifest[] = [];
  const read = (name: string) => {
    const path = relative(deploy, resolve(deploy, folder, name));
    if (!existsSync(join(deploy, path))) throw new Error(`${file} lists ${name}, which is not there`);
    if (!statSync(join(deploy, path)).isDirectory()) {
      files.push(path);
      return documentsOf(path) as Manifest[];
    }
    const built = build(path);
    files.push(...built.files);
    return built.objects;
  };
  for (const name of kustomization.resources ?? []) objects.push(...read(name));
  for (const { path } of kustomization.patches ?? [])
    for (const patch of read(path) as Manifest[]) {
      if (!objects.some((object) => same(object, patch))) throw new Error(`${path} patches what is not there`);
      objects = objects.map((object) => (same(object, patch) ? (merge(object, patch) as Manifest) : object));
    }
  for (const generator of kustomization.configMapGenerator ?? []) {
    const data = dataOf(generator, (name) => {
      files.push(join(folder, name));
      return readFileSync(join(deploy, folder, name), 'utf8');
    });
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: generator.name }, data };
    const before = objects.find((object) => same(object, map));
    if (generator.behavior === 'merge' ? !before : before)
      throw new Error(`${file}: ConfigMap ${generator.name} ${before ? 'is there already' : 'is not there'}`);
    objects = [...objects.filter((object) => object !== before), before ? (merge(before, map) as Manifest) : map];
  }
  const { namespace } = kustomization;
  return {
    files,
    objects: objects
      .map((object) => retagged(object, kustomization.images ?? []) as Manifest)
      .map((object) =>
        namespace === undefined || object.kind === 'Namespace'
          ? object
          : { ...object, metadata: { ...object.metadata, namespace } },
      ),
  };
}

const same = (a: Manifest, b: Manifest) => a.kind === b.kind && a.metadata.name === b.metadata.name;

function dataOf({ literals = [], files = [] }: Generator, read: (name: string) => string): Record<string, string> {
  const lines = literals.map((literal): [string, string] => {
    const at = literal.indexOf('=');
    return [literal.slice(0, at), literal.slice(at + 1)];
  });
  return Object.fromEntries([...lines, ...files.map((name) => [name, read(name)])]) as Record<string, string>;
}

const isObject = (value: unknown): value is Values => typeof value === 'object' && value !== null;
const isNamed = (value: unknown): value is { name: string } => isObject(value) && typeof value.name === 'string';

/** A strategic merge patch, as far as it is needed: lists of named objects are merged by name. */
function merge(base: unknown, patch: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(patch)) {
    const [old, changes] = [base as unknown[], patch as unknown[]];
    if (!old.every(isNamed) || !changes.every(isNamed)) return patch;
    const added = changes.filter(({ name }) => !old.some((item) => item.name === name));
    return [...added, ...old.map((item) => merge(item, changes.find(({ name }) => name === item.name) ?? {}))];
  }
  if (!isObject(base) || !isObject(patch) || Array.isArray(patch)) return patch;
  const fields = Object.entries(patch).map(([key, value]) => [key, key in base ? merge(base[key], value) : value]);
  return { ...base, ...Object.fromEntries(fields) };
}

function retagged(value: unknown, images: NonNullable<Kustomization['images']>): unknown {
  if (Array.isArray(value)) return value.map((item) => retagged(item, images));
  if (!isObject(value)) return value;
  const fields = Object.entries(value).map(([key, item]) => {
    const image = key === 'image' && images.find(({ name }) => name === String(item).split(':')[0]);
    return [key, image ? `${image.newName ?? image.name}:${image.newTag ?? 'latest'}` : retagged(item, images)];
  });
  return Object.fromEntries(fields) as Values;
}

/** Folders with a kustomization, as paths below `deploy/`. */
export const kustomizations = filesIn('kubernetes')
  .filter((file) => file.endsWith('kustomization.yaml'))
  .map((file) => dirname(file));
