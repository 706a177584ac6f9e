/** Reads the text format of Prometheus. */
import type { Service } from './service.js';

/** A sample's line. Values are in Go's notation, including "Nan". */
const SAMPLE = /^([a-z_]\w*)(?:\{((?:\w+="[^"\\]*",?)+)\})? (-?[\d.]+(?:e[+-]?\d+)?|Nan|[+-]Inf)$/;

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export function samplesOf(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const match = SAMPLE.exec(line);
      if (!match) throw new Error(`not a sample: ${line}`);
      const [, name = '', labels = '', value] = match;
      const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', text = '']) => [label, text]);
      return { name, labels: Object.fromEntries(pairs) as Sample['labels'], value: Number(value) };
    });
}

/** The sum of the samples with these labels; undefined if there are none. */
export function valueOf(samples: readonly Sample[], name: string, labels: Sample['labels'] = {}): number | undefined {
  const found = samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
  );
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}

export async function metricsOf({ client }: Service): Promise<Sample[]> {
  return samplesOf((await client.get('/metrics').expect(200)).text);
}
