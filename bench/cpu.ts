/** CPU time of processes, from Linux. */
import { readFileSync } from 'node:fs';

/** Linux reports times in hundredths of a second, whatever the frequency of the kernel's timer. */
const TICK_MS = 10;

/** User and system time of a process with all its threads, in milliseconds; NaN if there is no /proc. */
export function cpuMs(pid: number): number {
  try {
    // The name in brackets may contain anything; only numbers follow it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return NaN;
  }
}
