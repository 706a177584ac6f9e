/** How a server process exchanges messages with the other processes. */
export interface Channel<Message = unknown> {
  send(message: Message): void;
  receive(listener: (message: unknown) => void): void;
}

/** The channel of a process that the primary has forked. */
export const processChannel: Channel = {
  send(message) {
    // Without a callback, a failure to send would be an uncaught error. It means that the primary has ended;
    // `node:cluster` then ends this process too.
    process.send?.(message, undefined, undefined, () => undefined);
  },
  receive(listener) {
    process.on('message', listener);
  },
};
