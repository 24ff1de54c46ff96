import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ReveilleError } from '../errors.ts';

/** The longest report of a node on the files it opened, in bytes: as it comes, and as it unpacks. */
export const LONGEST_OPENED = 1024 * 1024;
const LONGEST_UNPACKED = 16 * 1024 * 1024;
const LONGEST_PATH = 1024;

/**
 * Reads a node's report on the files it opened: absolute paths, a line each, compressed with gzip. What is not such a line
 * is passed over. Throws REQUEST_INVALID for what does not unpack, or to too much.
 */
export async function parseOpened(body: Uint8Array): Promise<readonly string[]> {
  const text = await promisify(gunzip)(body, { maxOutputLength: LONGEST_UNPACKED }).catch((cause: Error) => {
    throw new ReveilleError('REQUEST_INVALID', `a list of opened files is a gzip archive: ${cause.message}`, { cause });
  });
  return text.toString('utf8').split('\n').filter(isPath);
}

function isPath(line: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  return line.startsWith('/') && line.length <= LONGEST_PATH && !/[\u0000-\u001f\u007f-\u009f]/.test(line);
}
