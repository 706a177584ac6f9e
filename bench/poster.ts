/**
 * A client in a separate process: `node poster.js URL TYPE CONNECTIONS SECONDS`, with the body on standard input.
 * Each connection posts it again as soon as the previous request is answered; answers are not read, to keep the client
 * cheap. Prints one line at the first answer, and at the end the times of all answers in milliseconds, as JSON.
 */
import { Agent, request } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** The first answers are not counted: they include connecting and the optimisation of both sides. */
const WARM_UP_MS = 500;

const [url, type, connections, seconds] = process.argv.slice(2);
const count = Number(connections);
const body = await buffer(process.stdin);
const agent = new Agent({ keepAlive: true, maxSockets: count });
const headers = { 'content-type': type, 'content-length': body.length };

function post(): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method: 'POST', headers, timeout: 60_000 }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}`));
      response.resume().on('end', resolve).on('error', reject);
    });
    sent.on('error', reject).on('timeout', () => sent.destroy(new Error(`no answer from ${url} in 60 s`)));
    sent.end(body);
  });
}

const times: number[] = [];
const counted = performance.now() + WARM_UP_MS;
const end = counted + Number(seconds) * 1000;
let announced = false;

/** Runs until the time is over and at least one answer was counted. */
async function again(): Promise<void> {
  for (let own = 0; own === 0 || performance.now() < end;) {
    const start = performance.now();
    await post();
    if (!announced) console.log('answered');
    announced = true;
    if (start < counted) continue;
    times.push(performance.now() - start);
    own++;
  }
}

await Promise.all(Array.from({ length: count }, again));
console.log(JSON.stringify(times));
agent.destroy();
