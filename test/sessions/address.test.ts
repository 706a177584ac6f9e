import { describe, expect, it } from 'vitest';
import { isShared, parseRedisAddress, STORE_ADDRESS_PATTERN, withoutPassword } from '../../src/sessions/address.js';

const pattern = new RegExp(STORE_ADDRESS_PATTERN);
const plain = { kind: 'single', tls: false, username: undefined, password: undefined, name: '', database: 0 };

describe('the address of a session store', () => {
  it.each([
    ['redis://redis', { ...plain, hosts: [{ host: 'redis', port: 6379 }] }],
    ['redis://127.0.0.1:7000/', { ...plain, hosts: [{ host: '127.0.0.1', port: 7000 }] }],
    ['redis://127.0.0.1:7000/3', { ...plain, hosts: [{ host: '127.0.0.1', port: 7000 }], database: 3 }],
    ['rediss://[::1]:7000', { ...plain, tls: true, hosts: [{ host: '::1', port: 7000 }] }],
    ['redis://[2001:db8::1]', { ...plain, hosts: [{ host: '2001:db8::1', port: 6379 }] }],
    ['redis://:pass%40%2F%3A@a.b-c', { ...plain, password: 'pass@/:', hosts: [{ host: 'a.b-c', port: 6379 }] }],
    ['redis://me:x@a', { ...plain, username: 'me', password: 'x', hosts: [{ host: 'a', port: 6379 }] }],
    [
      'redis-sentinel://:x@a,b:7000/group/2',
      {
        ...plain,
        kind: 'sentinel',
        password: 'x',
        hosts: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 7000 },
        ],
        name: 'group',
        database: 2,
      },
    ],
    [
      'rediss-sentinel://a/g',
      { ...plain, kind: 'sentinel', tls: true, hosts: [{ host: 'a', port: 26379 }], name: 'g' },
    ],
    [
      'redis-cluster://a:1,b:2,c:3',
      { ...plain, kind: 'cluster', hosts: ['a', 'b', 'c'].map((host, i) => ({ host, port: i + 1 })) },
    ],
  ])('%s', (address, parts) => {
    expect(address).toMatch(pattern);
    expect(isShared(address)).toBe(true);
    expect(parseRedisAddress(address)).toEqual(parts);
  });

  it('is memory: or a complete Redis address', () => {
    expect('memory:').toMatch(pattern);
    expect(isShared('memory:')).toBe(false);
    for (const wrong of [
      '',
      'memory',
      'memory:1',
      'redis:',
      'redis://',
      'redis:///0',
      'http://a',
      'redis://a:port',
      'redis://a:6379:1',
      'redis://a/b',
      'redis://a,b',
      'redis://a b',
      'redis://x%zz@a',
      'redis://a@b@c',
      'redis-sentinel://a:1',
      'redis-sentinel://a:1/',
      'redis-cluster://a:1,',
      'redis-cluster://a/0',
      ' redis://a',
      'redis://a\n',
    ]) {
      expect(wrong).not.toMatch(pattern);
      expect(() => parseRedisAddress(wrong)).toThrow('expected memory: or redis[s]://');
    }
  });

  it('is shown without its password', () => {
    expect(withoutPassword('redis://me:sec@ret@host/0')).toBe('redis://…@host/0');
    expect(withoutPassword('redis://host/0')).toBe('redis://host/0');
    expect(() => parseRedisAddress('redis://:secret@a:b')).not.toThrow(/secret/);
  });
});
