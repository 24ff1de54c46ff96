import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askLines } from '../../src/cli/api.ts';
import { nodeNamed, runningStatus } from '../../src/cli/status.ts';
import { EVENTS } from '../../src/http/contracts/events.ts';
import { buildImage } from '../../src/image/build.ts';
import { defaultCache } from '../../src/image/cache.ts';
import { openShelf } from '../../src/image/shelf.ts';
import { type LabServer, type OpenRack, openRack, tail } from '../../src/lab/open.ts';
import type { LabFirmware, LabMachine, NicModel } from '../../src/lab/rack.ts';
import { DEFAULT_SHAPE, rackOfSite } from '../../src/lab/siteRack.ts';
import type { Event } from '../../src/model/event.ts';
import type { Recipe } from '../../src/model/recipe.ts';
import { agentFiles } from '../../src/node/agent/files.ts';
import { loadSite } from '../../src/site/load.ts';
import type { NodeStatus } from '../../src/timeline/status.ts';

const DEMO_SITE = join(import.meta.dirname, '../../examples/demo');
const BOOT_PATIENCE_MS = 400_000;

/** The machine that a test needs; BIOS and 512 MB by default. */
export type Hardware = {
  readonly nics: number;
  readonly model: NicModel;
  readonly firmware?: LabFirmware;
  readonly memoryMb?: number;
};

/**
 * A rack with a server in it that serves `site`, for tests of whole boots. Kernel lines have `no_timer_check`: on a busy host the timer
 * of an emulated machine can be late when the kernel checks it, which ends in a panic.
 */
export type BootRack = {
  readonly rack: OpenRack;
  readonly siteFolder: string;
  readonly stateFolder: string;
  server: LabServer;
  /** Writes a file of the site; parents are made. */
  write(path: string, text: string): Promise<void>;
  /** Starts the server again, after it was stopped. */
  restart(): Promise<void>;
  status(name: string): Promise<NodeStatus>;
  /** Waits until the node is ready or has failed; throws with its steps and console if it takes too long. */
  settled(name: string): Promise<NodeStatus>;
  /** Waits for the first event, from the beginning on, that is `wanted`. */
  event(wanted: (event: Event) => boolean): Promise<Event>;
  close(): Promise<void>;
};

/** Builds the demo's image (from the cache where it can), with the root that is asked for, and opens a rack that boots it. */
export async function openBootRack(
  files: { readonly [path: string]: string },
  hardware: { readonly [machine: string]: Hardware },
  root: Recipe['root'] = 'initramfs',
): Promise<BootRack> {
  const images = await demoImages(root);
  const folder = await mkdtemp(join(tmpdir(), 'reveille-boot-'));
  const siteFolder = join(folder, 'site');
  const state = join(folder, 'state');
  await mkdir(state);
  await cp(images, join(state, 'images'), { recursive: true });
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(siteFolder, path)), { recursive: true });
    await writeFile(join(siteFolder, path), text, { mode: path.endsWith('.sh') ? 0o755 : 0o644 });
  };
  for (const [path, text] of Object.entries(files)) await write(path, text);
  await mkdir(join(siteFolder, 'images'), { recursive: true });
  const recipe = await readFile(join(DEMO_SITE, 'images/bookworm-ram.yaml'), 'utf8');
  await writeFile(join(siteFolder, 'images/bookworm-ram.yaml'), `${recipe}\nroot: ${root}\n`);

  const loaded = await loadSite(siteFolder);
  if (!loaded.ok) throw new Error(`the test's site does not load: ${JSON.stringify(loaded.findings)}`);
  const machines = Object.entries(hardware).map(
    ([name, { nics, model, firmware = 'bios', memoryMb = 512 }]): LabMachine => {
      const shape = { ...DEFAULT_SHAPE, memoryMb, nics, nicModel: model, firmware };
      const shaped = rackOfSite(loaded.site, shape).machines;
      const machine = shaped.find((one) => one.name === name);
      if (!machine) throw new Error(`the test's site has no node ${name}`);
      return machine;
    },
  );
  const rack = await openRack({ ...rackOfSite(loaded.site), machines }, { folder: join(folder, 'lab') });
  const start = () => rack.startServer({ site: siteFolder, state });
  const status = async (name: string) => nodeNamed(await runningStatus(state), name);
  const opened: BootRack = {
    rack,
    siteFolder,
    stateFolder: state,
    server: await start().catch(async (error: unknown) => {
      await rack.close();
      throw error;
    }),
    write,
    status,
    restart: async () => {
      opened.server = await start();
    },
    settled: async (name) => {
      for (const deadline = Date.now() + BOOT_PATIENCE_MS; ; await sleep(500)) {
        const node = await status(name);
        if (node.state === 'ready' || node.state === 'failed') return node;
        if (Date.now() < deadline && rack.isOn(name)) continue;
        throw new Error(
          `${name} is not ready: ${JSON.stringify(node.boot?.steps, null, 1)}\n${await tail(rack.console(name), 40)}`,
        );
      }
    },
    event: async (wanted) => {
      const signal = AbortSignal.timeout(BOOT_PATIENCE_MS);
      for await (const event of askLines(state, EVENTS, { query: { follow: true, since: 0 } }, { signal })) {
        if (wanted(event)) return event;
      }
      throw new Error('the server ended before the event came');
    },
    close: async () => {
      await rack.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return opened;
}

/** The shelf that all tests boot from; building again with an unchanged recipe gives the same image. */
export async function demoImages(root: Recipe['root'] = 'initramfs'): Promise<string> {
  const cache = defaultCache(process.env, process.getuid?.());
  const shelf = join(cache, root === 'initramfs' ? 'test/images' : `test/${root}/images`);
  const loaded = await loadSite(DEMO_SITE);
  const recipe = loaded.ok ? loaded.site.images.get('bookworm-ram') : undefined;
  if (!recipe) throw new Error('examples/demo does not load');
  await buildImage(
    { ...recipe, root },
    {
      shelf: openShelf(shelf),
      cache,
      site: DEMO_SITE,
      agent: agentFiles(),
      check: true,
      fresh: false,
      now: Date.now,
      onProgress: () => {},
    },
  );
  return shelf;
}
