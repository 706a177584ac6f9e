/**
 * The one allocator of this memory: a bump pointer. The bridge takes and gives back in scopes, and a kernel that needs
 * working memory takes it after its operands, so whatever a call took ends with the call.
 */

/** A cache line: no vector load of an operand straddles two, and no two operands share one. */
const ALIGNMENT: usize = 64;

/** Loads of a whole vector may reach past the last operand; they must still lie in memory. */
const SLACK: usize = 64;

const PAGE_BITS: usize = 16;

let top: usize = (__heap_base + ALIGNMENT - 1) & ~(ALIGNMENT - 1);

export function take(bytes: usize): usize {
  const address = top;
  const end = <u64>address + ((<u64>bytes + ALIGNMENT - 1) & ~(<u64>ALIGNMENT - 1));
  const have = (<u64>memory.size()) << PAGE_BITS;
  if (end + SLACK > have) {
    const pages = <i32>((end + SLACK - have + 0xffff) >> PAGE_BITS);
    // The bridge turns the trap into a RangeError, as a typed array too large would be.
    if (memory.grow(pages) < 0) unreachable();
  }
  top = <usize>end;
  return address;
}

export function mark(): usize {
  return top;
}

/** Gives back all that was taken since `mark` answered `to`. */
export function release(to: usize): void {
  top = to;
}
