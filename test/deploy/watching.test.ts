import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { metricsOf, type Sample } from '../support/prometheus.js';
import { good } from '../support/requests.js';
import { call, serveAll } from '../support/service.js';

const read = (path: string) => readFileSync(new URL(`../../deploy/${path}`, import.meta.url), 'utf8');

/** What Prometheus adds to every sample of a target. */
const OF_TARGET = ['job', 'instance'];

/** What it makes itself of every target. */
const OF_PROMETHEUS = ['up'];

interface Selector {
  readonly name: string;
  readonly labels: readonly string[];
}

interface Query {
  readonly selectors: readonly Selector[];
  /** What it is added up by. */
  readonly by: readonly string[];
}

/** What an expression asks for; throws where it is not PromQL. */
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

/** Grafana puts these in before it asks. */
const filledIn = (expression: string) =>
  expression.replaceAll('$__rate_interval', '5m').replaceAll(/\$(job|instance)\b/g, 'value');

const targets = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map((target) => ({ title, ...target })));

describe('what is deployed for watching', () => {
  const service = serveAll({ SESSION_BUDGET_BYTES: '1500' });
  let samples: readonly Sample[] = [];

  /** Labels that the metric has in one sample or another. */
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
    // So that every label is there: answers, refusals, and failures.
    const { client } = service();
    await call(service(), 'linear', good.linear.forward);
    await client.post('/linear').send(good.linear.forward).expect(503);
    await client.get('/nothing').expect(404);
    samples = await metricsOf(service());
  });

  it.each(alerts.map((alert) => [alert.alert, alert] as const))('the alert %s is made of what there is', (_, alert) => {
    expectKnown(queryOf(alert.expr));
    expect(alert.alert).toMatch(/^Layerd[A-Z]\w+$/);
    expect(['critical', 'warning']).toContain(alert.labels.severity);
    expect(alert.annotations.summary).toBeTruthy();
    expect(alert.annotations.description).toBeTruthy();
    if (alert.for !== undefined) expect(alert.for).toMatch(/^\d+[smh]$/);
    // Other jobs have event loops and requests, too.
    for (const { name, labels } of queryOf(alert.expr).selectors) expect(labels, name).toContain('job');
  });

  it.each(targets.map((target) => [target.title, target] as const))(
    'the panel "%s" is made of what there is',
    (_, { expr, legendFormat }) => {
      const query = queryOf(filledIn(expr));
      expectKnown(query);
      for (const { name, labels } of query.selectors) expect(labels, name).toEqual(expect.arrayContaining(OF_TARGET));
      // A legend shows only what is left after adding up.
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
      expect(query.by).toEqual(expect.arrayContaining(shown));
    },
  );

  it('the dashboard’s variables are made of what there is', () => {
    const asked = dashboard.templating.list.flatMap(({ definition }) => definition ?? []);
    expect(asked).toHaveLength(2);
    for (const definition of asked) {
      const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(definition) ?? [];
      expectKnown(queryOf(filledIn(selector)));
      expect(OF_TARGET).toContain(label);
    }
  });

  it('the dashboard’s panels lie beside each other, each with an id and a title of its own', () => {
    const { panels } = dashboard;
    for (const of of ['id', 'title'] as const)
      expect(new Set(panels.map((panel) => panel[of])).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });

  it('an expression with an unknown metric or label, or that is none, would be found', () => {
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

  it('Prometheus is told of the rules and of the port', () => {
    const { rule_files: rules, scrape_configs: scrape } = parse(read('prometheus/prometheus.yml')) as {
      rule_files: string[];
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
    };
    expect(rules).toEqual(['layerd.rules.yml']);
    expect(scrape).toEqual([{ job_name: 'layerd', static_configs: [{ targets: ['127.0.0.1:8080'] }] }]);
  });
});
