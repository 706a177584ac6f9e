import { spawnSync } from 'node:child_process';

/** Whether tests of a program are skipped because it is not installed; in CI they run, and fail. */
export function isLeftOut(program: string): boolean {
  return spawnSync(program, ['--version']).error !== undefined && process.env.CI !== 'true';
}
