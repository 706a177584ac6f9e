import { spawnSync } from 'node:child_process';

/** Whether tests of a program that is not installed are left out; in CI they go on, and fail. */
export function isLeftOut(program: string): boolean {
  return spawnSync(program, ['--version']).error !== undefined && process.env.CI !== 'true';
}
