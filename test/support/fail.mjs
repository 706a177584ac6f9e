// Throws an uncaught error from a listener of this process.
process.on('SIGWINCH', () => {
  throw new Error('nobody catches this');
});
