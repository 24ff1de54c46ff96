import type { Option } from './packet.ts';

/** What a transfer runs on. Sizes are in bytes; `timeoutMs` is absent unless the client chose it. */
export type Terms = {
  readonly blockSize: number;
  readonly windowSize: number;
  readonly timeoutMs?: number;
  /** What to acknowledge, in the client's own spelling. Empty: no OACK, the first DATA packet is the answer. */
  readonly accepted: readonly Option[];
};

export type Bounds = {
  /** Bytes that the transfer will carry, as tsize is answered (RFC 2349); tsize is left out where it is not known yet. */
  readonly size: number | undefined;
  /** The largest packet of the link; larger blocks would be fragmented, which boot ROMs reassemble badly. */
  readonly mtu: number;
  /** Most bytes that may be under way before an acknowledgement. */
  readonly windowBytes: number;
};

/** RFC 1350's block size, for clients that negotiate none. */
export const DEFAULT_BLOCK_SIZE = 512;

const LEAST_BLOCK_SIZE = 8;
const MOST_BLOCK_SIZE = 65464;
const MOST_WINDOW = 64;
/** IP (20), UDP (8) and TFTP (4) headers. */
const HEADERS = 32;

/**
 * Decides what a client gets of what it asked for: blksize (RFC 2348), timeout and tsize (RFC 2349), windowsize (RFC
 * 7440). An option that is unknown, malformed or out of its RFC's range is left out, as RFC 2347 has it.
 */
export function negotiate(asked: readonly Option[], bounds: Bounds): Terms {
  const largest = Math.max(LEAST_BLOCK_SIZE, Math.min(MOST_BLOCK_SIZE, bounds.mtu - HEADERS));
  const wanted = new Map(asked.map(({ name, value }) => [name.toLowerCase(), number(value)]));

  const blksize = within(wanted.get('blksize'), LEAST_BLOCK_SIZE, Number.MAX_SAFE_INTEGER);
  const timeout = within(wanted.get('timeout'), 1, 255);
  const windowsize = within(wanted.get('windowsize'), 1, 65535);
  const tsize = wanted.get('tsize');

  const blockSize = blksize === undefined ? DEFAULT_BLOCK_SIZE : Math.min(blksize, largest);
  const roomy = Math.max(1, Math.floor(bounds.windowBytes / blockSize));
  const windowSize = windowsize === undefined ? 1 : Math.min(windowsize, MOST_WINDOW, roomy);

  const answers = new Map<string, number>();
  if (blksize !== undefined) answers.set('blksize', blockSize);
  if (timeout !== undefined) answers.set('timeout', timeout);
  if (windowsize !== undefined) answers.set('windowsize', windowSize);
  // curl takes a size of 0 for a broken answer and gives up; without it, it fetches the empty file.
  if (tsize !== undefined && bounds.size !== undefined && bounds.size > 0) answers.set('tsize', bounds.size);

  const accepted: Option[] = [];
  for (const { name } of asked) {
    const answer = answers.get(name.toLowerCase());
    if (answer !== undefined) accepted.push({ name, value: String(answer) });
  }
  return { blockSize, windowSize, accepted, ...(timeout === undefined ? {} : { timeoutMs: timeout * 1000 }) };
}

function number(value: string): number | undefined {
  return /^[0-9]{1,15}$/.test(value) ? Number(value) : undefined;
}

function within(value: number | undefined, least: number, most: number): number | undefined {
  return value !== undefined && value >= least && value <= most ? value : undefined;
}
