/**
 * The only allocator of this memory: a bump pointer. The bridge takes and releases memory in scopes, and a kernel takes
 * working memory after its operands, so everything that a call took is released with it.
 */

/** A cache line: no vector load of an operand straddles two, and no two operands share one. */
const ALIGNMENT: usize = 64;

/** Loads of a whole vector may reach past the last operand; they must still lie in memory. */
const SLACK: usize = 64;

const PAGE_BITS: usize = 16;

let top: usize = (__heap_base + ALIGNMENT - 1) & ~(ALIGNMENT - 1);

/** @bridge */
export function take(bytes: usize): usize {
  const address = top;
  const end = <u64>address + ((<u64>bytes + ALIGNMENT - 1) & ~(<u64>ALIGNMENT - 1));
  const have = (<u64>memory.size()) << PAGE_BITS;
  if (end + SLACK > have) {
    const pages = <i32>((end + SLACK - have + 0xffff) >> PAGE_BITS);
    // The bridge turns the trap into a RangeError, like that of a typed array that is too large.
    if (memory.grow(pages) < 0) unreachable();
  }
  top = <usize>end;
  return address;
}

/** @bridge */
export function mark(): usize {
  return top;
}

/**
 * Releases everything that was taken since `mark` returned `to`.
 * @bridge
 */
export function release(to: usize): void {
  top = to;
}
