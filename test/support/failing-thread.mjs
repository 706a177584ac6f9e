// A worker thread for tests: it dies while it starts.
throw new Error('this thread cannot start');
