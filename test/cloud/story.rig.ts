import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildImages, forgetLastTime } from '../../src/cli/demoStage.ts';
import { nodeNamed, runningStatus } from '../../src/cli/status.ts';
import { defaultCache } from '../../src/image/cache.ts';
import { aliveIn, type Instance } from '../../src/lab/cloud/instances.ts';
import { copySite, type LabCloud, openLabCloud } from '../../src/lab/cloud/open.ts';
import { tail } from '../../src/lab/open.ts';
import { loadSite } from '../../src/site/load.ts';
import { isInService } from '../../src/timeline/boots.ts';
import type { NodeStatus } from '../../src/timeline/status.ts';
import { runProgram } from '../interop/program.rig.ts';

/** Machines, a real controller and the server beside them, for tests that tell a story of one cloud. */
export type CloudStory = {
  readonly cloud: LabCloud;
  /** The folder of the site that is served. */
  readonly site: string;
  /** The server's state folder. */
  readonly state: string;
  /** Runs `reveille` against the server; `text` is all that it printed. */
  reveille(...words: string[]): Promise<{ code: number; text: string }>;
  /** Changes the text of a file of the site, once. */
  edit(file: string, was: string, becomes: string): Promise<void>;
  node(name: string): Promise<NodeStatus>;
  /** Waits until something holds; throws with the node's console and steps if it does not. */
  until<T>(what: string, name: string, holds: () => Promise<T | undefined>, patienceMs?: number): Promise<T>;
  /** Waits until the node's newest boot is in service; one whose service failed may come yet, as systemd tries again. */
  inService(name: string): Promise<NodeStatus>;
  /** What the instance last said on its console of how long it has lived, in seconds, and whom it reaches. */
  alive(instance: string): Promise<ReturnType<typeof aliveIn>>;
  /** Where the instance runs, once it has spoken and goes on speaking there: how long it has lived, in seconds. */
  livesOn(instance: Instance): Promise<Instance & { readonly seconds: number }>;
};

const PATIENCE_MS = 420_000;
/** Much of what is waited for is asked of the nodes themselves, whose processors the test needs elsewhere. */
const ASK_AGAIN_MS = 3000;

/**
 * Copies a site, lets `change` change its files in that folder, builds its images and starts controller and server. The
 * machines, of `memoryMb` megabytes, are off; all ends with the test.
 */
export async function openStory(
  t: TestContext,
  from: string,
  change: (site: string) => Promise<void> = async () => {},
  memoryMb = 2048,
): Promise<CloudStory> {
  const cache = defaultCache(process.env, process.getuid?.());
  const state = join(cache, 'test-cloud');
  const folder = join(state, 'site');
  await forgetLastTime(state);
  await copySite(from, state);
  await change(folder);
  const loaded = await loadSite(folder);
  if (!loaded.ok) throw new Error(`the test's site does not load: ${JSON.stringify(loaded.findings)}`);
  const { site } = loaded;
  await buildImages(site, state, cache, 'three minutes');
  const cloud = await openLabCloud(site, { state, cache, memoryMb, onStep: () => {} });
  t.after(() => cloud.close());

  const node = async (name: string) => nodeNamed(await runningStatus(state), name);
  const until: CloudStory['until'] = async (what, name, holds, patienceMs = PATIENCE_MS) => {
    for (const deadline = Date.now() + patienceMs; ; await sleep(ASK_AGAIN_MS)) {
      const held = await holds();
      if (held !== undefined) return held;
      if (Date.now() < deadline) continue;
      const { text } = await runProgram('why', name, '--site', folder, '--state', state);
      throw new Error(
        `${what}: not after ${patienceMs / 1000} s\n${text}\n${await tail(cloud.rack.console(name), 30)}`,
      );
    }
  };
  const alive: CloudStory['alive'] = async (instance) => aliveIn(await cloud.operator.run('console', { instance }));
  return {
    cloud,
    site: folder,
    state,
    node,
    until,
    reveille: (...words) => runProgram(...words, '--state', state),
    edit: async (file, was, becomes) => {
      const path = join(folder, file);
      const text = await readFile(path, 'utf8');
      if (!text.includes(was)) throw new Error(`${file} does not hold ${was}`);
      await writeFile(path, text.replace(was, becomes));
    },
    inService: (name) =>
      until(`${name} in service`, name, async () => {
        const seen = await node(name);
        return seen.boot !== null && isInService(seen.boot) ? seen : undefined;
      }),
    alive,
    livesOn: async ({ id, name }) => {
      const instance = await cloud.operator.run('instance', { instance: id });
      const first = await until(`${name} speaks`, instance.host ?? '', () => alive(id));
      const { seconds } = await until(`${name} goes on speaking`, instance.host ?? '', async () => {
        const now = await alive(id);
        return now && now.seconds > first.seconds ? now : undefined;
      });
      return { ...instance, seconds };
    },
  };
}
