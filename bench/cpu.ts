/** CPU time of processes, from Linux. */
import { readFileSync } from 'node:fs';

/** Linux counts for programs in hundredths of a second, whatever the kernel does inside. */
const TICK_MS = 10;

/** User and system time of a process with all its threads, in milliseconds; NaN where there is no /proc. */
export function cpuMs(pid: number): number {
  try {
    // The name in brackets may hold anything; what comes behind it are numbers.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return NaN;
  }
}
