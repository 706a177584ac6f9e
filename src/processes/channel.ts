/** Where a server process's messages to the other processes go. */
export interface Channel<Message = unknown> {
  send(message: Message): void;
  receive(listener: (message: unknown) => void): void;
}

/** The channel of a process that the primary has forked. */
export const processChannel: Channel = {
  send(message) {
    process.send?.(message);
  },
  receive(listener) {
    process.on('message', listener);
  },
};
