import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryStore } from '../../src/sessions/memory-store.js';
import { createSession } from '../support/sessions.js';
import { handClock } from '../support/service.js';
import { countingStoreContract, storeContract, type Open } from './contract.js';

const open: Open = ({ ttlMs, budgetBytes, roomBytes }) => {
  const clock = handClock();
  return {
    store: new MemoryStore({ ttlMs, budgetBytes: Math.min(budgetBytes, roomBytes), clock }),
    now: clock,
    advance: (ms) => {
      clock.advance(ms / 1000);
    },
    leewayMs: 0,
  };
};

storeContract('memory', open);
countingStoreContract('memory', open);

describe('a session store in memory', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('forgets a name as long after its last use as it forgets a session', async () => {
    const clock = handClock();
    const store = new MemoryStore({ ttlMs: 1000, budgetBytes: 2 ** 20, clock });
    await store.bind('a', 'first');
    await store.bind('b', 'second');
    clock.advance(0.9);
    expect(await store.tokenOf('a')).toBe('first');
    clock.advance(0.9);
    expect(await store.tokenOf('b')).toBeUndefined();
    expect(await store.tokenOf('a')).toBe('first');
    clock.advance(1);
    expect(await store.tokenOf('a')).toBeUndefined();
    await store.close();
  });

  it('removes expired sessions every second until it is closed', async () => {
    const clock = vi.fn(() => 0);
    const store = new MemoryStore({ ttlMs: 1000, budgetBytes: 2 ** 20, clock });
    vi.advanceTimersByTime(5000);
    expect(clock).toHaveBeenCalledTimes(5);
    await store.close();
    vi.advanceTimersByTime(5000);
    expect(clock).toHaveBeenCalledTimes(5);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('uses the system clock unless it is given another one', async () => {
    vi.setSystemTime(Date.UTC(2026, 0, 1));
    const store = new MemoryStore({ ttlMs: 1000, budgetBytes: 2 ** 20 });
    const token = await createSession(store, { layer: 'linear', dtype: 'float64', plan: {}, tensors: {} });
    expect(await store.inspect(token)).toMatchObject({ created: Date.UTC(2026, 0, 1) });
    vi.setSystemTime(Date.UTC(2026, 0, 1, 0, 0, 1));
    expect(await store.inspect(token)).toBeUndefined();
    await store.close();
  });
});
