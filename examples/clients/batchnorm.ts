/**
 * Batchnorm, forward and backward, with `fetch`.
 *
 *     node batchnorm.ts [http://127.0.0.1:8080]
 *
 * Prints the results, and exits with 1 if one differs from the value computed by hand.
 */

type Tensor = number | readonly Tensor[];
type Answer = Readonly<Record<string, unknown>>;

const TIMEOUT_MS = 10_000;

// 4 rows, 2 channels. The means are 1 and 2, the variances 3.5 and 15.5. With epsilon 0.5 the standard deviations are 2
// and 4, and every value below is exact.
const forward = {
  x: [
    [4, 1],
    [-1, 8],
    [0, -3],
    [1, 2],
  ],
  gamma: [4, 2],
  beta: [1, -0.5],
  epsilon: 0.5,
};
const dout = [
  [1, 2],
  [-2, -1],
  [3, 0],
  [0.5, 3],
];

const expectedForward = {
  out: [
    [7, -1],
    [-3, 2.5],
    [-1, -3],
    [1, -0.5],
  ],
  mean: [1, 2],
  var: [3.5, 15.5],
};
const expectedBackward = {
  dx: [
    [-0.75, 0.4375],
    [-4.25, -0.625],
    [5.25, -0.8125],
    [-0.25, 1],
  ],
  dgamma: [2, -2],
  dbeta: [2.5, 4],
};

async function post(url: string, body: object): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  // If the service refuses, the body says what was wrong, what was received and what was expected.
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Answer;
}

function close(value: unknown, expected: Tensor): boolean {
  if (typeof expected === 'number')
    return typeof value === 'number' && Math.abs(value - expected) <= 1e-9 * Math.abs(expected);
  return (
    Array.isArray(value) && value.length === expected.length && expected.every((inner, i) => close(value[i], inner))
  );
}

function check(answer: Answer, expected: Readonly<Record<string, Tensor>>): void {
  for (const [name, tensor] of Object.entries(expected)) {
    console.log(name.padEnd(7), JSON.stringify(answer[name]));
    if (!close(answer[name], tensor)) throw new Error(`${name} is wrong; expected ${JSON.stringify(tensor)}`);
  }
}

const [base = 'http://127.0.0.1:8080'] = process.argv.slice(2);
try {
  const answer = await post(`${base}/batchnorm/forward`, forward);
  check(answer, expectedForward);
  check(await post(`${base}/batchnorm/backward`, { session: answer.session, dout, release: true }), expectedBackward);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
