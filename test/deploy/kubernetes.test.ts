import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config.js';
import { expectKnown, expectPatience } from '../support/variables.js';
import { expectValid, typeErrors, typeOf } from '../support/kubernetes.js';
import { build, deploy, documentsOf, filesIn, kustomizations, type Manifest } from '../support/manifests.js';

type Labels = Readonly<Record<string, string>>;

interface Port {
  readonly name: string;
  readonly containerPort: number;
}
interface Probe {
  readonly httpGet?: { readonly port: string; readonly path: string };
  readonly tcpSocket?: { readonly port: string };
}
interface Container {
  readonly name: string;
  readonly image: string;
  readonly ports: readonly Port[];
  readonly env?: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly secretKeyRef: { readonly name: string } };
  }[];
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly resources: { readonly requests: Labels; readonly limits: Labels };
  readonly securityContext: object;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}
interface Pod {
  readonly automountServiceAccountToken: boolean;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: object;
  readonly containers: readonly Container[];
  readonly topologySpreadConstraints?: readonly { readonly labelSelector: { readonly matchLabels: Labels } }[];
  readonly volumes?: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly secret?: { readonly secretName: string };
  }[];
}
interface Workload extends Manifest {
  readonly spec: {
    readonly selector: { readonly matchLabels: Labels };
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: Pod };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
}
interface Peer {
  readonly podSelector?: { readonly matchLabels: Labels };
  readonly namespaceSelector?: object;
  readonly ipBlock?: object;
}
interface Policy extends Manifest {
  readonly spec: {
    readonly podSelector: { readonly matchLabels: Labels };
    readonly policyTypes: readonly string[];
    readonly ingress?: readonly { readonly from?: readonly Peer[]; readonly ports: readonly { port: string }[] }[];
    readonly egress?: readonly { readonly to: readonly Peer[]; readonly ports: readonly { port: string | number }[] }[];
  };
}

const OVERLAYS = ['kubernetes/try', 'kubernetes/production'] as const;
/** The secrets that production/secrets.yaml tells its reader to create. */
const SECRETS = ['layerd-redis', 'layerd-keys'];

const isWorkload = (object: Manifest): object is Workload => ['Deployment', 'StatefulSet'].includes(object.kind);
const matches = (selector: Labels, labels: Labels) =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);

function layerdOf(objects: readonly Manifest[]): Workload {
  const found = objects.find(({ kind }) => kind === 'Deployment');
  if (!found) throw new Error('no Deployment');
  return found as Workload;
}

/** The variables of the process; secrets have a placeholder. */
function environmentOf(objects: readonly Manifest[]): Record<string, string> {
  const [container] = layerdOf(objects).spec.template.spec.containers;
  const maps = (container.envFrom ?? []).map(({ configMapRef }) => {
    const map = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef.name);
    return (map as { data?: Labels } | undefined)?.data ?? {};
  });
  const own = (container.env ?? []).map(({ name, value = 'redis://secret' }) => [name, value]);
  return Object.assign({}, ...maps, Object.fromEntries(own)) as Record<string, string>;
}

it.each(filesIn('.').filter((file) => file.endsWith('.yaml')))('%s is valid YAML', (file) => {
  expect(documentsOf(file).length).toBeGreaterThan(0);
});

it('uses every file in a kustomization', () => {
  const read = new Set(kustomizations.flatMap((folder) => build(folder).files));
  expect([...read].sort()).toEqual(filesIn('kubernetes').sort());
});

it.each(OVERLAYS)('%s has valid Kubernetes objects without unknown fields', (overlay) => {
  const { objects } = build(overlay);
  for (const object of objects) expectValid(object);
  expect(typeErrors(objects.map(typeOf))).toEqual([]);
});

describe.each(kustomizations)('%s', (folder) => {
  it('is built to the same objects by kubectl', ({ skip }) => {
    const { objects } = build(folder);
    const version = spawnSync('kubectl', ['version', '--client'], { encoding: 'utf8' });
    // Debian's kubectl is too old for the fields in use, so CI skips this test.
    skip(!(version.stdout || '').includes('Kustomize Version: v5'), 'kubectl with Kustomize 5 is not installed');
    const built = execFileSync('kubectl', ['kustomize', join(deploy, folder)], { encoding: 'utf8' });
    const plain = built.replaceAll(/(layerd(?:-redis)?)-[a-z0-9]{10}\b/g, '$1');
    const theirs = parseAllDocuments(plain).map((document) => document.toJS() as Manifest);
    const sorted = (list: readonly Manifest[]) =>
      Object.fromEntries(list.map((object) => [`${object.kind} ${object.metadata.name}`, object]));
    expect(sorted(JSON.parse(JSON.stringify(theirs)) as Manifest[])).toEqual(sorted(objects));
  });
});

it('refuses an unknown field, and a value of the wrong type', () => {
  const [deployment] = documentsOf('kubernetes/base/deployment.yaml') as [Manifest & { spec: object }];
  const misspelt = { ...deployment, spec: { ...deployment.spec, revisionHistoryLimits: 3 } };
  expect(typeErrors([typeOf(misspelt)])).toEqual([expect.stringContaining('revisionHistoryLimits')]);
  const mistyped = { ...deployment, spec: { ...deployment.spec, revisionHistoryLimit: 'three' } };
  expect(() => {
    expectValid(mistyped);
  }).toThrow('revisionHistoryLimit must be integer');
});

describe.each(OVERLAYS)('%s', (overlay) => {
  const { objects } = build(overlay);
  const workloads = objects.filter(isWorkload);
  const labelsOf = ({ spec }: Workload) => spec.template.metadata.labels;
  const selected = (selector: Labels) => workloads.filter((workload) => matches(selector, labelsOf(workload)));
  const portsOf = (found: readonly Workload[]) =>
    found.flatMap(({ spec }) => spec.template.spec.containers.flatMap(({ ports }) => ports));

  it('selects pods by labels that they have', () => {
    for (const workload of workloads) {
      expect(selected(workload.spec.selector.matchLabels)).toEqual([workload]);
      for (const { labelSelector } of workload.spec.template.spec.topologySpreadConstraints ?? [])
        expect(selected(labelSelector.matchLabels)).toEqual([workload]);
    }
    const budgets = objects.filter(({ kind }) => kind === 'PodDisruptionBudget') as Workload[];
    for (const { spec } of budgets) expect(selected(spec.selector.matchLabels)).toEqual([layerdOf(objects)]);
    expect(budgets).toHaveLength(1);
  });

  it('has services only for existing ports', () => {
    const services = objects.filter(({ kind }) => kind === 'Service') as (Manifest & {
      spec: { selector: Labels; ports: { targetPort: string }[] };
    })[];
    for (const { spec } of services) {
      expect(selected(spec.selector)).toHaveLength(1);
      const names = portsOf(selected(spec.selector)).map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(spec.ports.map(({ targetPort }) => targetPort)));
    }
    const names = services.map(({ metadata }) => metadata.name);
    for (const { kind, spec } of workloads as (Workload & { spec: { serviceName?: string } })[])
      if (kind === 'StatefulSet') expect(names).toContain(spec.serviceName);
  });

  it('scales the Deployment of layerd', () => {
    const [scaler] = objects.filter(({ kind }) => kind === 'HorizontalPodAutoscaler') as (Manifest & {
      spec: { scaleTargetRef: { apiVersion: string; kind: string; name: string } };
    })[];
    const { apiVersion, kind, metadata } = layerdOf(objects);
    expect(scaler.spec.scaleTargetRef).toEqual({ apiVersion, kind, name: metadata.name });
  });

  it('admits traffic only to existing ports, and allows outgoing traffic only to DNS and Redis', () => {
    const policies = objects.filter(({ kind }) => kind === 'NetworkPolicy') as Policy[];
    for (const { spec } of policies) {
      const pods = selected(spec.podSelector.matchLabels);
      expect(pods).toHaveLength(1);
      for (const { ports } of spec.ingress ?? [])
        for (const { port } of ports) expect(portsOf(pods).map(({ name }) => name)).toContain(port);
      for (const { podSelector } of (spec.ingress ?? []).flatMap(({ from = [] }) => from))
        expect(selected(podSelector?.matchLabels ?? {})).toEqual([layerdOf(objects)]);
      for (const { to, ports } of spec.egress ?? [])
        for (const { podSelector, namespaceSelector } of to) {
          if (!podSelector || namespaceSelector) continue;
          const names = portsOf(selected(podSelector.matchLabels)).map(({ name }) => name);
          expect(names).toEqual(expect.arrayContaining(ports.map(({ port }) => port)));
        }
    }
    for (const workload of workloads) {
      const own = policies.filter(({ spec }) => matches(spec.podSelector.matchLabels, labelsOf(workload)));
      expect(new Set(own.flatMap(({ spec }) => spec.policyTypes))).toEqual(new Set(['Ingress', 'Egress']));
    }
    const out = policies
      .filter(({ spec }) => matches(spec.podSelector.matchLabels, labelsOf(layerdOf(objects))))
      .flatMap(({ spec }) => (spec.egress ?? []).flatMap(({ ports }) => ports.map(({ port }) => port)));
    expect(new Set(out)).toEqual(new Set([53, overlay === 'kubernetes/try' ? 'redis' : 6379]));
  });

  it('probes existing ports, and refers to existing config maps and secrets', () => {
    const maps = objects.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata.name);
    for (const { spec } of workloads) {
      const { containers, volumes = [] } = spec.template.spec;
      const claims = (spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name);
      for (const {
        startupProbe,
        livenessProbe,
        readinessProbe,
        ports,
        env = [],
        envFrom = [],
        ...rest
      } of containers) {
        for (const { httpGet, tcpSocket } of [startupProbe, livenessProbe, readinessProbe])
          for (const { port } of [httpGet, tcpSocket].filter((probe) => probe !== undefined))
            expect(ports.map(({ name }) => name)).toContain(port);
        for (const { configMapRef } of envFrom) expect(maps).toContain(configMapRef.name);
        for (const { valueFrom } of env) if (valueFrom) expect(SECRETS).toContain(valueFrom.secretKeyRef.name);
        for (const { name } of rest.volumeMounts ?? [])
          expect([...volumes.map((volume) => volume.name), ...claims]).toContain(name);
      }
      for (const { configMap, secret } of volumes) {
        if (configMap) expect(maps).toContain(configMap.name);
        if (secret) expect(SECRETS).toContain(secret.secretName);
      }
    }
  });

  it('follows the restricted Pod Security Standard, with a read-only root file system', () => {
    for (const { spec } of workloads) {
      const pod = spec.template.spec;
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      for (const { securityContext, resources } of pod.containers) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(Object.keys(resources.requests).sort()).toEqual(['cpu', 'memory']);
        expect(resources.limits).toHaveProperty('memory');
      }
    }
  });

  it('sets only known variables, to valid values', () => {
    const environment = environmentOf(objects);
    expectKnown(Object.keys(environment));
    const [{ ports }] = layerdOf(objects).spec.template.spec.containers;
    expect(loadConfig(environment)).toMatchObject({ PROCESSES: 1, HOST: '0.0.0.0', PORT: ports[0].containerPort });
    expect(environment).toHaveProperty('SESSION_STORE');
  });

  it('gives the service time to finish before it is killed', () => {
    const environment = environmentOf(objects);
    const { terminationGracePeriodSeconds, containers } = layerdOf(objects).spec.template.spec;
    expectPatience(terminationGracePeriodSeconds, environment);
    // By then, the readiness probe has failed often enough, and no new requests arrive.
    const { periodSeconds, failureThreshold } = containers[0].readinessProbe as Record<string, number>;
    expect(Number(environment.SHUTDOWN_DELAY_SECONDS)).toBeGreaterThanOrEqual(periodSeconds * failureThreshold);
  });
});

it('the trial uses its own Redis, which never discards a live session and has room to rewrite its file', () => {
  const { objects } = build('kubernetes/try');
  expect(environmentOf(objects).SESSION_STORE).toBe('redis://layerd-redis:6379');
  const configuration = readFileSync(join(deploy, 'kubernetes/redis/redis.conf'), 'utf8');
  const setting = (name: string) => new RegExp(`^${name} (.+)$`, 'm').exec(configuration)?.[1];
  expect(setting('port')).toBe('6379');
  expect(setting('maxmemory-policy')).toBe('noeviction');
  expect(setting('appendonly')).toBe('yes');
  expect(setting('maxmemory')).toBe('1gb');
  const [redis] = objects.filter(({ kind }) => kind === 'StatefulSet') as Workload[];
  const [{ resources, ports }] = redis.spec.template.spec.containers;
  expect(ports[0].containerPort).toBe(6379);
  expect(resources.limits.memory).toBe('2Gi');
});
