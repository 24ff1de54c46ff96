import { ReveilleError } from '../errors.ts';
import type { Drifted } from '../model/nodeFiles.ts';
import { plainLine } from '../plainText.ts';
import type { SecretMask } from './secretMask.ts';

/** The files that a node has, by its last report. */
export type Applied = {
  /** The bundle whose files it has; another name if files of the bundle could not be written. */
  readonly sha256: string;
  /** The manifest of the files it has; absent if it is too long to report. */
  readonly manifest?: string;
  /** Whether its agent lays folders, and counts them in the bundle's name. */
  readonly folders?: true;
  /** What failed at the last attempt, in words. */
  readonly failed?: string;
  /** How many files drifted, and the first of them. */
  readonly drifted: number;
  readonly drift: readonly Drifted[];
};

/** A node's report after it has applied a bundle, or tried to. */
export type News = {
  readonly applied: Applied;
  readonly changed: number;
  readonly removed: number;
  readonly ms: number;
  /** The order that it followed, if there was one. */
  readonly sync?: string;
};

/** The longest report that is read, in bytes: a manifest of 1 MiB and its header. */
export const LONGEST_NEWS = 1024 * 1024 + 256 * 1024;
/** The longest manifest that is asked with, in bytes. */
export const LONGEST_MANIFEST = 1024 * 1024;

/**
 * Limits for drift and failures: entries, and UTF-16 code units of each. Cut only after secrets are hidden: a mask does not match
 * half a secret.
 */
const MOST_DRIFT = 100;
const LONGEST_PATH = 1024;
const LONGEST_FAILED = 2000;
const KEYS: ReadonlySet<string> = new Set([
  'bundle',
  'folders',
  'changed',
  'removed',
  'ms',
  'drifted',
  'failed',
  'sync',
]);

/**
 * Reads an agent's report: lines `key=value`, the first `reveille.applied=1`, then an empty line and the manifest, if the agent
 * sends it. Unknown keys are skipped. Throws REQUEST_INVALID for anything else.
 */
export function parseNews(body: Uint8Array): News {
  if (body.length > LONGEST_NEWS) throw invalid(`news are at most ${LONGEST_NEWS} bytes long`);
  const whole = new TextDecoder().decode(body);
  const end = whole.indexOf('\n\n');
  const lines = (end < 0 ? whole.trimEnd() : whole.slice(0, end)).split('\n');
  if (lines[0] !== 'reveille.applied=1') throw invalid('news begin with reveille.applied=1');
  const head = new Map<string, string>();
  const drift: Drifted[] = [];
  for (const line of lines.slice(1)) {
    const [, key, value] = /^([a-z]+)=(.*)$/.exec(line) ?? [];
    if (key === undefined || value === undefined) throw invalid('news begin with lines key=value');
    if (key === 'drift' && drift.length < MOST_DRIFT) drift.push(driftedOf(value));
    if (KEYS.has(key)) head.set(key, value);
  }
  const sha256 = head.get('bundle');
  if (sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256)) throw invalid('bundle= is not the name of a bundle');
  const manifest = end < 0 ? '' : whole.slice(end + 2);
  const failed = plainLine(head.get('failed') ?? '', '').trim();
  const sync = head.get('sync');
  return {
    applied: {
      sha256,
      ...(manifest === '' ? {} : { manifest }),
      ...(head.has('folders') ? { folders: true as const } : {}),
      ...(failed === '' ? {} : { failed }),
      drifted: numberIn(head, 'drifted'),
      drift,
    },
    changed: numberIn(head, 'changed'),
    removed: numberIn(head, 'removed'),
    ms: numberIn(head, 'ms'),
    ...(sync !== undefined && /^[a-z0-9-]{1,64}$/.test(sync) ? { sync } : {}),
  };
}

/** The same without the secrets that the node got, cut to the limits. */
export function maskedNews(news: News, mask: SecretMask): News {
  const { failed, drift } = news.applied;
  const applied = {
    ...news.applied,
    ...(failed === undefined ? {} : { failed: mask.mask(failed).slice(0, LONGEST_FAILED) }),
    drift: drift.map((one) => ({ ...one, path: mask.mask(one.path).slice(0, LONGEST_PATH) })),
  };
  return { ...news, applied };
}

/** `missing`, `content` or `access:MODE:OWNER:GROUP`, a tab, the path. */
function driftedOf(value: string): Drifted {
  const [, what, mode, owner, group, path] =
    /^(missing|content|access)(?::([0-7]{1,5}):([0-9]{1,10}):([0-9]{1,10}))?\t(\/[^\t]*)$/.exec(value) ?? [];
  if (what === undefined || path === undefined) throw invalid('drift= names no file that changed');
  const access = mode === undefined ? {} : { access: { mode, owner: Number(owner), group: Number(group) } };
  return { path: plainLine(path, '').trim(), what: what as Drifted['what'], ...access };
}

function numberIn(head: ReadonlyMap<string, string>, key: string): number {
  const value = head.get(key) ?? '0';
  if (!/^[0-9]{1,15}$/.test(value)) throw invalid(`${key}= must be a whole number`);
  return Number(value);
}

function invalid(message: string): ReveilleError {
  return new ReveilleError('REQUEST_INVALID', message);
}
