import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { wordsOf } from './errors.ts';
import type { Finding } from './model/finding.ts';
import { checkTemplates } from './node/check.ts';
import { followSite } from './site/follow.ts';
import { packChange, packSite } from './site/handOver.ts';
import type { Site } from './site/site.ts';
import type { SiteThreadOptions, ToFollower, ToThread } from './siteFollower.ts';

// Watches the site folder and reads it: parsing and checking thousands of nodes takes a second, and no request may wait
// meanwhile.

const { folder, stateFolder } = workerData as SiteThreadOptions;

/** More than anyone reads at once. */
const MOST_FINDINGS = 1000;
const NICENESS = 5;
/** The pause between two folders whose templates are checked: thousands of them use the threads that read files for requests. */
const REST_MS = 1;

let site: Site | undefined;
let checking: AbortController | undefined;

function post(message: ToFollower, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

/** Of a site that follows another only the difference is sent. */
function loaded(next: Site): void {
  const pieces = site === undefined ? packSite(next) : packChange(site, next);
  if (pieces === undefined) {
    post({ kind: 'same' });
    return;
  }
  const kind = site === undefined ? 'loaded' : 'changed';
  site = next;
  post(
    { kind, pieces },
    pieces.map(({ buffer }) => buffer),
  );
}

function fewOf(findings: readonly Finding[]): readonly Finding[] {
  const next = findings[MOST_FINDINGS];
  if (next === undefined) return findings;
  const left = `and ${findings.length - MOST_FINDINGS} more: reveille check lists them all`;
  return [...findings.slice(0, MOST_FINDINGS), { place: next.place, message: left }];
}

async function checkNow(): Promise<void> {
  checking?.abort();
  checking = new AbortController();
  const { signal } = checking;
  try {
    const findings =
      site === undefined ? [] : await checkTemplates(site, () => setTimeout(REST_MS, undefined, { signal }));
    post({ kind: 'templates', findings: fewOf(findings) });
  } catch (error) {
    if (!signal.aborted) post({ kind: 'templates', findings: [], failure: wordsOf(error) });
  }
}

/** On busy processors, requests come first. */
function giveWay(): void {
  try {
    const [, id] = /^\d+\/task\/(\d+)$/.exec(readlinkSync('/proc/thread-self')) ?? [];
    if (id !== undefined) setPriority(Number(id), NICENESS);
  } catch {
    // From then on it has the same priority as the others.
  }
}

giveWay();
parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'check templates') void checkNow();
});
const followed = await followSite(
  folder,
  { onLoaded: loaded, onRejected: (findings) => post({ kind: 'rejected', findings: fewOf(findings) }) },
  { stateFolder },
);
if (followed.ok) loaded(followed.followed.current());
else post({ kind: 'invalid', findings: fewOf(followed.findings), warnings: fewOf(followed.warnings) });
