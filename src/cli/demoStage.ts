import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EVENTS } from '../http/contracts/events.ts';
import { buildImage } from '../image/build.ts';
import { openShelf } from '../image/shelf.ts';
import type { OpenRack } from '../lab/open.ts';
import { agentFiles } from '../node/agent/files.ts';
import type { Site } from '../site/site.ts';
import type { NodeStatus, Status } from '../timeline/status.ts';
import { formatMs } from '../words/units.ts';
import { askLines } from './api.ts';
import { plainProgress, totalMs } from './image.ts';
import { paint } from './print.ts';
import { nodeNamed, runningStatus } from './status.ts';
import { eventLine } from './watch.ts';

/** Prints the heading of one of a demonstration's steps, and when it begins. */
export function heading(step: number, words: string): void {
  const since = step === 1 ? '' : `  ${paint('dim', `after ${elapsed()}`)}`;
  console.log(`${step === 1 ? '' : '\n'}${paint('bold', `${step}. ${words}`)}${since}`);
}

/** How long this demonstration has been going on: `1 min 3 s`. */
export function elapsed(): string {
  return formatMs(performance.now());
}

/** The shelf of images stays; leases, boots and consoles begin anew. */
export async function forgetLastTime(state: string): Promise<void> {
  await mkdir(state, { recursive: true });
  for (const name of await readdir(state)) {
    if (name !== 'images') await rm(join(state, name), { recursive: true });
  }
}

/** The machines live for minutes: packages of the last weeks will do. */
const ROOT_HOURS = 30 * 24;

/**
 * Builds every image that nodes of the site boot onto the shelf of the state folder, if it changed; `patience` says how long
 * the first time takes.
 */
export async function buildImages(site: Site, state: string, cache: string, patience: string): Promise<void> {
  const booted = new Set([...site.nodes.values()].map(({ image }) => image));
  for (const recipe of site.images.values()) {
    if (!booted.has(recipe.name)) continue;
    heading(2, `The image ${recipe.name} (${patience} the first time, nothing later)`);
    const report = await buildImage(recipe, {
      shelf: openShelf(join(state, 'images')),
      cache,
      site: site.root,
      agent: agentFiles(),
      fresh: false,
      rootHours: ROOT_HOURS,
      check: true,
      now: Date.now,
      onProgress: plainProgress((line) => console.log(`  ${line}`)),
    });
    const { image } = report;
    const mb = ((image.kernel.size + image.initrd.size + (image.root?.size ?? 0)) / 1e6).toFixed(0);
    const done = report.unchanged ? 'as it was built before' : `in ${formatMs(totalMs(report.took))}`;
    console.log(`  ${image.sha256.slice(0, 12)}: kernel ${image.kernelVersion} and root, ${mb} MB, ${done}`);
  }
}

/** Switches every machine on. */
export async function bootAll(rack: OpenRack): Promise<void> {
  await Promise.all(rack.rack.machines.map(({ name }) => rack.boot(name)));
}

/** Shows what happens to the machines of a rack, from the beginning, until each is settled or time is up. */
export async function showBoots(
  rack: OpenRack,
  state: string,
  patienceMs: number,
  isSettled: (node: NodeStatus) => boolean,
): Promise<Status> {
  const quiet = new AbortController();
  const shown = showEvents(state, quiet.signal);
  const deadline = Date.now() + patienceMs;
  for (;;) {
    await sleep(500);
    const status = await runningStatus(state);
    const settled = rack.rack.machines.every(({ name }) => isSettled(nodeNamed(status, name)));
    if (!settled && Date.now() < deadline) continue;
    quiet.abort();
    await shown;
    return status;
  }
}

async function showEvents(state: string, signal: AbortSignal): Promise<void> {
  try {
    for await (const event of askLines(state, EVENTS, { query: { follow: true, since: 0 } }, { signal })) {
      console.log(`  ${eventLine(event)}`);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
