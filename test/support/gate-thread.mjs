// A worker thread for tests. A call's body is eight bytes of shared memory: the first word says that the call has begun,
// and the call ends when the second one is set.
import { MessageChannel, parentPort } from 'node:worker_threads';

const { port2 } = new MessageChannel();
parentPort.postMessage({ sessions: port2 }, [port2]);

export default function run({ body }) {
  const gate = new Int32Array(body.buffer);
  Atomics.store(gate, 0, 1);
  Atomics.wait(gate, 1, 0);
  return { pieces: [] };
}
