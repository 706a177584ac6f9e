import { MessageChannel } from 'node:worker_threads';

const { port1: nowhere, port2 } = new MessageChannel();
port2.close();

/**
 * Frees a buffer's memory immediately; the buffer is left empty. V8 collects its whole heap for every 64 MiB allocated
 * outside of it, which was half of the CPU time of echoing 2 MB in 64 KiB chunks (Node.js 20: 1.9 ms with collections,
 * 1.0 ms without).
 *
 * Transferring the buffer to a closed port frees it at once in every version of Node.js;
 * `ArrayBuffer.prototype.transfer` needs Node.js 22.
 */
export function discard(buffer: ArrayBuffer): void {
  nowhere.postMessage(null, [buffer]);
}
