/** Where and when something was measured. */
import { cpus, loadavg } from 'node:os';
import { bestBuild } from '../src/platform/wasm-module.js';

export function describeMachine(): string {
  const date = new Date().toISOString().slice(0, 10);
  const processors = `${cpus().length} × ${cpus()[0].model.trim()}`;
  return `${date}, ${processors}, load ${loadavg()[0].toFixed(1)}, Node.js ${process.versions.node}, kernels built with ${bestBuild('kernels')}`;
}
