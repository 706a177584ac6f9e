/** The file of API keys, reread when it changes. */
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { parseKeys, type Key } from './keys.js';

/** Polls with stat: Kubernetes replaces a symbolic link above a mounted file, which a watch on the file does not notice. */
const LOOK_EVERY_MS = 2000;

export interface KeysFile {
  current(): readonly Key[];
  close(): void;
}

export interface Notices {
  changed(keys: readonly Key[]): void;
  /** The previous keys remain valid. */
  failed(error: Error): void;
}

/**
 * @throws {Error} if the file cannot be read or has an invalid line
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
