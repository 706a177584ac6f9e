/** @returns the text of the layer registry with the layer added: the list in alphabetical order, the import first */
export function withLayer(registry: string, name: string): string {
  const list = /(?<head>layers: readonly Layer\[\] = \[)(?<names>[^\]]*)\]/;
  const names = (list.exec(registry)?.groups?.names ?? '').split(',').map((each) => each.trim());
  const all = [...names.filter((each) => each !== ''), name].sort();
  const imported = `import { ${name} } from './${name}.js';\n`;
  return registry.replace(/^import /m, `${imported}import `).replace(list, `$<head>${all.join(', ')}]`);
}
