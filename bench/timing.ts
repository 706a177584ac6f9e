/** Times work on this machine: medians, since a shared machine has outliers on one side only. */

/** Median nanoseconds of one call, over `rounds` rounds of about `roundMs` each, after one to warm up. */
export function medianNs(work: () => void, rounds = 9, roundMs = 60): number {
  work();
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const start = process.hrtime.bigint();
    const end = start + BigInt(roundMs * 1e6);
    let calls = 0;
    let now = start;
    while (now < end) {
      work();
      calls++;
      now = process.hrtime.bigint();
    }
    if (round > 0) times.push(Number(now - start) / calls);
  }
  return times.sort((a, b) => a - b)[rounds >> 1];
}
