// Loaded into the service by a test: ends its worker threads at SIGWINCH, which nothing else listens to.
process.on('worker', (worker) => {
  process.on('SIGWINCH', () => void worker.terminate());
});
