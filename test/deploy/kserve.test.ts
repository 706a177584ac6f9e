import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { typeErrors } from '../support/kubernetes.js';
import { documentsOf, type Manifest } from '../support/manifests.js';
import { expectKnown, expectPatience } from '../support/variables.js';

interface Predictor {
  readonly labels: Readonly<Record<string, string>>;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly {
    readonly name: string;
    readonly ports: readonly { readonly containerPort: number }[];
    readonly env: readonly { readonly name: string; readonly value: string }[];
    readonly livenessProbe: { readonly httpGet: { readonly port: number; readonly path: string } };
    readonly readinessProbe: { readonly httpGet: { readonly port: number; readonly path: string } };
  }[];
}

/** The fields that KServe adds to a pod's specification (`ComponentExtensionSpec`), as far as they are used here. */
const EXTENSIONS = ['labels', 'minReplicas', 'maxReplicas', 'scaleMetric', 'scaleTarget', 'timeout'];

const [service] = documentsOf('kserve.yaml') as [Manifest & { readonly spec: { readonly predictor: Predictor } }];
const { predictor } = service.spec;
const [container] = predictor.containers;
const environment = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));

describe('kserve.yaml', () => {
  it('is an InferenceService whose predictor is a pod, apart from the fields of KServe', () => {
    expect(service).toMatchObject({ apiVersion: 'serving.kserve.io/v1beta1', kind: 'InferenceService' });
    expect(Object.keys(service.spec)).toEqual(['predictor']);
    const pod = Object.fromEntries(Object.entries(predictor).filter(([field]) => !EXTENSIONS.includes(field)));
    const asPod = (value: object) =>
      typeErrors([
        { type: 'IPod', from: 'kubernetes-models/v1', value: { apiVersion: 'v1', kind: 'Pod', spec: value } },
      ]);
    expect(asPod(pod)).toEqual([]);
    expect(asPod(predictor)).toEqual([expect.stringContaining('labels')]);
    expect(predictor.minReplicas).toBeLessThanOrEqual(predictor.maxReplicas);
  });

  it('has the container name, port and protocol that KServe expects', () => {
    expect(predictor.containers.map(({ name }) => name)).toEqual(['kserve-container']);
    expect(container.ports).toHaveLength(1);
    expect(environment.PROTOCOL).toBe('v2');
    const [{ containerPort }] = container.ports;
    expect(container.livenessProbe.httpGet).toEqual({ path: '/v2/health/live', port: containerPort });
    expect(container.readinessProbe.httpGet).toEqual({ path: '/v2/health/ready', port: containerPort });
  });

  it('sets only known variables, to valid values', () => {
    expectKnown(Object.keys(environment), ['PROTOCOL']);
    const [{ containerPort }] = container.ports;
    expect(loadConfig(environment)).toMatchObject({ HOST: '0.0.0.0', PORT: containerPort, PROCESSES: 1 });
  });

  it('uses the Redis of kubernetes/redis, which admits pods with its label', () => {
    const [redis] = documentsOf('kubernetes/redis/service.yaml') as [Manifest];
    expect(new URL(environment.SESSION_STORE).hostname).toBe(redis.metadata.name);
    const [policy] = documentsOf('kubernetes/redis/networkpolicy.yaml') as [
      { spec: { ingress: { from: { podSelector: { matchLabels: object } }[] }[] } },
    ];
    expect(policy.spec.ingress[0].from[0].podSelector.matchLabels).toEqual(predictor.labels);
  });

  it('gives the service time to finish before it is killed', () => {
    expectPatience(predictor.terminationGracePeriodSeconds, environment);
  });
});
