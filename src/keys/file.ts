/** The keys' file, read again when it changes. */
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { parseKeys, type Key } from './keys.js';

/** By stat, since Kubernetes exchanges a link above a mounted file, which no watch on the file itself sees. */
const LOOK_EVERY_MS = 2000;

export interface KeysFile {
  current(): readonly Key[];
  close(): void;
}

export interface Notices {
  changed(keys: readonly Key[]): void;
  /** The keys from before stay in force. */
  failed(error: Error): void;
}

/**
 * @throws {Error} where the file cannot be read, or a line of it is wrong
 */
export function openKeysFile(path: string, notices: Notices): KeysFile {
  let keys = read(path);
  const look = () => {
    try {
      keys = read(path);
    } catch (error) {
      notices.failed(error as Error);
      return;
    }
    notices.changed(keys);
  };
  watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, look);
  return {
    current: () => keys,
    close: () => {
      unwatchFile(path, look);
    },
  };
}

function read(path: string): readonly Key[] {
  try {
    return parseKeys(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Error(`API_KEYS_FILE ${path} cannot be used: ${(error as Error).message}`, { cause: error });
  }
}
