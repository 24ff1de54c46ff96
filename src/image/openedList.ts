import { gunzipSync } from 'node:zlib';
import { ReveilleError } from '../errors.ts';

const LONGEST_UNPACKED = 16 * 1024 * 1024;
const LONGEST_PATH = 1024;

/**
 * Reads a node's report on the files it opened: absolute paths, a line each, compressed with gzip. What is not such a line
 * is passed over. Unpacking stops at a length. Throws REQUEST_INVALID for what does not unpack, or to too much.
 */
export function* openedPaths(list: Uint8Array): Iterable<string> {
  const text = unpacked(list);
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf(0x0a, at);
    const to = end < 0 ? text.length : end;
    // Cut before it becomes text: a line may be as long as all of it.
    const line = to - at <= 4 * LONGEST_PATH ? text.toString('utf8', at, to) : '';
    if (isPath(line)) yield line;
    at = to + 1;
  }
}

function unpacked(list: Uint8Array): Buffer {
  try {
    return gunzipSync(list, { maxOutputLength: LONGEST_UNPACKED });
  } catch (cause) {
    const words = `a list of opened files is a gzip archive: ${(cause as Error).message}`;
    throw new ReveilleError('REQUEST_INVALID', words, { cause });
  }
}

function isPath(line: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  return line.startsWith('/') && line.length <= LONGEST_PATH && !/[\u0000-\u001f\u007f-\u009f]/.test(line);
}
