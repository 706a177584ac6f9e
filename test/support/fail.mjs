// Throws out of a listener of this process: an error that nobody catches.
process.on('SIGWINCH', () => {
  throw new Error('nobody catches this');
});
