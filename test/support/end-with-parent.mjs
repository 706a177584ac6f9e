/**
 * Ends a worker of Vitest when Vitest's main process has ended. A signal ends only the main process, and leaves its
 * workers with tests that may never end, or that compute for minutes without yielding to the event loop. A thread
 * watches.
 */
import process from 'node:process';
import { isMainThread, Worker } from 'node:worker_threads';

const WATCH = `
  const { workerData } = require('node:worker_threads');
  setInterval(() => {
    if (process.ppid !== workerData) process.kill(process.pid, 'SIGKILL');
  }, 500);`;

// Threads of a worker load the same modules, including this one.
if (isMainThread) new Worker(WATCH, { eval: true, execArgv: [], workerData: process.ppid }).unref();
