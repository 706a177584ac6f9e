import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { metricsOf, type Sample } from '../support/prometheus.js';
import { good } from '../support/requests.js';
import { call, serveAll } from '../support/service.js';
import { until } from '../support/until.js';

const read = (path: string) => readFileSync(new URL(`../../deploy/${path}`, import.meta.url), 'utf8');

/** Labels that Prometheus adds to every sample of a target. */
const OF_TARGET = ['job', 'instance'];

/** Metrics that Prometheus itself records for every target. */
const OF_PROMETHEUS = ['up'];

interface Selector {
  readonly name: string;
  readonly labels: readonly string[];
}

interface Query {
  readonly selectors: readonly Selector[];
  /** The labels that it aggregates by. */
  readonly by: readonly string[];
}

/** The metrics and labels of an expression; throws if it is not PromQL. */
function queryOf(expression: string): Query {
  const selectors: { name: string; labels: string[] }[] = [];
  const by: string[] = [];
  const tree = parser.parse(expression);
  tree.iterate({
    enter({ type, from, to, node }) {
      const text = expression.slice(from, to);
      if (type.isError) throw new Error(`not PromQL at ${from}: ${expression}`);
      if (type.name === 'VectorSelector') {
        const name = node.getChild('Identifier');
        selectors.push({ name: name ? expression.slice(name.from, name.to) : '', labels: [] });
      }
      if (type.name !== 'LabelName') return;
      if (node.parent?.name === 'GroupingLabels') by.push(text);
      else selectors.at(-1)?.labels.push(text);
    },
  });
  return { selectors, by };
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Dashboard {
  readonly title: string;
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

interface Rules {
  readonly groups: readonly {
    readonly name: string;
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly for?: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations: Readonly<Record<string, string>>;
    }[];
  }[];
}

const dashboard = JSON.parse(read('grafana/layerd.json')) as Dashboard;
const { groups } = parse(read('prometheus/layerd.rules.yml')) as Rules;
const alerts = groups.flatMap(({ rules }) => rules);

/** Grafana replaces these before it sends the query. */
const filledIn = (expression: string) =>
  expression.replaceAll('$__rate_interval', '5m').replaceAll(/\$(job|instance)\b/g, 'value');

const targets = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, ...target })));

describe('the alerts and the dashboard', () => {
  const service = serveAll({ SESSION_BUDGET_BYTES: '1500' });
  let samples: readonly Sample[] = [];

  /** All labels of the metric's samples. */
  const labelsOf = (name: string) =>
    new Set(samples.filter((s) => s.name === name).flatMap((s) => Object.keys(s.labels)));

  const expectKnown = ({ selectors, by }: Query) => {
    expect(selectors).not.toEqual([]);
    const known = selectors.map(({ name, labels }) => {
      if (OF_PROMETHEUS.includes(name)) return new Set(OF_TARGET);
      expect(samples.map((sample) => sample.name)).toContain(name);
      const all = new Set([...labelsOf(name), ...OF_TARGET]);
      expect([...all]).toEqual(expect.arrayContaining([...labels]));
      return all;
    });
    for (const label of by) for (const all of known) expect([...all]).toContain(label);
  };

  beforeAll(async () => {
    // Answers, refusals and failures, so that every label occurs.
    const { client } = service();
    await call(service(), 'linear', good.linear.forward);
    await client.post('/linear').send(good.linear.forward).expect(503);
    await client.get('/nothing').expect(404);
    // Garbage collection has samples only after the first one; the requests cause some.
    samples = await until(async () => {
      const read = await metricsOf(service());
      expect(read.map(({ name }) => name)).toContain('nodejs_gc_duration_seconds_sum');
      return read;
    });
  });

  it.each(alerts.map((alert) => [alert.alert, alert] as const))('the alert %s uses metrics that exist', (_, alert) => {
    expectKnown(queryOf(alert.expr));
    expect(alert.alert).toMatch(/^Layerd[A-Z]\w+$/);
    expect(['critical', 'warning']).toContain(alert.labels.severity);
    expect(alert.annotations.summary).toBeTruthy();
    expect(alert.annotations.description).toBeTruthy();
    if (alert.for !== undefined) expect(alert.for).toMatch(/^\d+[smh]$/);
    // Other jobs also have event loops and requests.
    for (const { name, labels } of queryOf(alert.expr).selectors) expect(labels, name).toContain('job');
  });

  it.each(targets.map((target) => [target.title, target] as const))(
    'the panel "%s" uses only existing metrics and labels',
    (_, { expr, legendFormat }) => {
      const query = queryOf(filledIn(expr));
      expectKnown(query);
      for (const { name, labels } of query.selectors) expect(labels, name).toEqual(expect.arrayContaining(OF_TARGET));
      // A legend can show only the labels that remain after aggregation.
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
      expect(query.by).toEqual(expect.arrayContaining(shown));
    },
  );

  it('the dashboard’s variables use only existing metrics and labels', () => {
    const asked = dashboard.templating.list.flatMap(({ definition }) => definition ?? []);
    expect(asked).toHaveLength(2);
    for (const definition of asked) {
      const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(definition) ?? [];
      expectKnown(queryOf(filledIn(selector)));
      expect(OF_TARGET).toContain(label);
    }
  });

  it('the dashboard’s panels do not overlap, and each has a unique id and title', () => {
    const { panels } = dashboard;
    for (const of of ['id', 'title'] as const)
      expect(new Set(panels.map((panel) => panel[of])).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });

  it('an unknown metric or label, or an invalid expression, would be detected', () => {
    expect(() => queryOf('sum(rate(layerd_calls_total[5m])')).toThrow('not PromQL');
    expect(() => {
      expectKnown(queryOf('rate(layerd_call_total[5m])'));
    }).toThrow();
    expect(() => {
      expectKnown(queryOf('layerd_calls_total{route="/"}'));
    }).toThrow();
    expect(() => {
      expectKnown(queryOf('sum by (route) (layerd_calls_total)'));
    }).toThrow();
  });

  it('Prometheus has the rules and the port', () => {
    const { rule_files: rules, scrape_configs: scrape } = parse(read('prometheus/prometheus.yml')) as {
      rule_files: string[];
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
    };
    expect(rules).toEqual(['layerd.rules.yml']);
    expect(scrape).toEqual([{ job_name: 'layerd', static_configs: [{ targets: ['127.0.0.1:8080'] }] }]);
  });
});
