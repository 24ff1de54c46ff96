import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { ReveilleError } from '../errors.ts';
import { defaultCache } from '../image/cache.ts';
import { openShelf } from '../image/shelf.ts';
import { bmcsOf, startBmcs } from '../lab/bmcs.ts';
import { requireRoot } from '../lab/cloud/controllerRoot.ts';
import { copySite, openLabCloud } from '../lab/cloud/open.ts';
import type { CloudStatus, LabStatus } from '../lab/control.ts';
import { labFolder, labSocket } from '../lab/hold.ts';
import type { OpenRack } from '../lab/open.ts';
import { SiteSecrets } from '../node/siteSecrets.ts';
import type { Site } from '../site/site.ts';
import { plainProgress } from './image.ts';
import { ask, holdForParent, insideOf, runInside, startHolder } from './labHolder.ts';
import { cloudUsage, show } from './labText.ts';
import { jsonOption, siteOption, stateOption, whole } from './options.ts';
import { siteIn } from './site.ts';

type UpFlags = {
  readonly site: string;
  readonly state: string;
  readonly cache: string;
  readonly memory: number;
  readonly json?: boolean;
};
type Flags = { readonly state: string; readonly json?: boolean };

/** With an instance of 128 MB beside Nova, Neutron and the root. */
const MEMORY_MB = 2048;

/** `reveille lab cloud up|status|exec|down`: a real OpenStack controller beside a virtual rack. */
export function labCloudCommand(): Command {
  return new Command('cloud')
    .description(
      'a rack with a real OpenStack controller beside it: Keystone, Placement, Nova, Neutron, Glance (needs root)',
    )
    .addHelpText(
      'after',
      [
        '\nExample:',
        '  reveille image build bookworm-nova --site examples/cloud --state /tmp/cloud',
        '  reveille lab cloud up --site examples/cloud --state /tmp/cloud',
        '  reveille lab boot --state /tmp/cloud',
        '  reveille lab cloud exec --state /tmp/cloud -- openstack compute service list',
        '  reveille lab cloud down --state /tmp/cloud',
      ].join('\n'),
    )
    .addCommand(upCommand())
    .addCommand(statusCommand())
    .addCommand(execCommand())
    .addCommand(downCommand())
    .addCommand(holdCommand(), { hidden: true });
}

function upCommand(): Command {
  return withFlags(new Command('up'))
    .description('build what is missing of the controller, start it beside the rack, and leave both running')
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille lab cloud up --site examples/cloud --state /tmp/cloud --memory 2048')
    .action(async (flags: UpFlags) => {
      requireRoot();
      const site = await siteIn(flags.site);
      const there = await ask(flags.state, { op: 'status' });
      if (there) {
        requireCloud(there, flags.state);
        console.error(`A lab cloud of ${flags.state} is there already.`);
      }
      const words = ['lab', 'cloud', 'hold', '--memory', `${flags.memory}`, '--cache', resolve(flags.cache)];
      const shown = plainProgress((line) => console.error(line));
      const status = there ?? (await startHolder(words, flags, (step) => shown({ phase: 'controller', ...step })));
      show(status, flags.json);
      if (flags.json || status.doing !== undefined) return;
      console.log(`\n${cloudUsage(status)}`);
      for (const line of await imagesToBuild(site, flags)) console.log(line);
    });
}

function statusCommand(): Command {
  return new Command('status')
    .description('show the rack, which machines are on, and whether the controller runs')
    .addOption(stateOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  reveille lab cloud status --state /tmp/cloud --json')
    .action(async ({ state, json }: Flags) => show(await standingCloud(state), json));
}

function execCommand(): Command {
  return new Command('exec')
    .description('run a program on the controller; the openstack client is there, and knows the cloud')
    .argument('<command...>', 'program and its arguments, after --')
    .addOption(stateOption())
    .addHelpText('after', '\nExample:\n  reveille lab cloud exec -- openstack compute service list')
    .action(async (command: string[], { state }: Flags) => {
      const status = await standingCloud(state);
      const inside = insideOf(status);
      const cloud = requireCloud(status, state);
      if (!cloud?.runs) {
        throw new ReveilleError('LAB_FAILED', 'the controller has ended', { hint: `its logs are in ${cloud?.logs}` });
      }
      const enter = [
        'nsenter',
        '--target',
        `${cloud.pid}`,
        '--mount',
        '--root',
        '--net',
        '--uts',
        '--ipc',
        '--pid',
        '--wd',
      ];
      await runInside(inside, [...enter, '--', 'env', '-i', ...controllerEnvironment(), ...command]);
    });
}

/** Nothing of this machine's, such as proxies, is meant for a program on the controller. */
function controllerEnvironment(): readonly string[] {
  const own = ['OS_CLOUD=lab', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LC_ALL=C.UTF-8'];
  return [...own, 'PYTHONWARNINGS=ignore', `TERM=${process.env.TERM ?? 'dumb'}`];
}

function downCommand(): Command {
  return new Command('down')
    .description('end the controller, the server and every machine; also while they are set up')
    .addOption(stateOption())
    .addHelpText('after', '\nExample:\n  reveille lab cloud down --state /tmp/cloud')
    .action(async ({ state }: Flags) => {
      const there = await ask(state, { op: 'status' });
      if (there) requireCloud(there, state);
      const ended = there && (await ask(state, { op: 'down' }));
      console.log(ended ? 'The lab cloud is down.' : `No lab cloud of ${state} is up: nothing is left to end.`);
    });
}

/** The process behind `lab cloud up`. */
function holdCommand(): Command {
  return withFlags(new Command('hold'))
    .description('hold a lab cloud until it is taken down')
    .action(({ site: from, state, cache, memory }: UpFlags) =>
      holdForParent({ site: join(state, 'site'), state }, async (onStep) => {
        const site = await copySite(from, state);
        const meanwhile = async (open: OpenRack) => {
          const bmcs = await bmcsOf(open.rack, site, new SiteSecrets(() => site, process.env));
          await startBmcs(open, bmcs, { folder: labFolder(state), socket: labSocket(state) });
        };
        const options = { state, cache, memoryMb: memory, onStep, meanwhile };
        const { rack, access, controller, close } = await openLabCloud(site, options);
        const { cloudsFile } = access;
        const { pid, url, logs, runs } = controller;
        return { rack, close, cloud: () => ({ runs: runs(), pid, url, cloudsFile, logs }) };
      }),
    );
}

function withFlags(command: Command): Command {
  return command
    .addOption(siteOption())
    .addOption(stateOption())
    .addOption(new Option('--memory <MB>', 'memory of each machine').default(MEMORY_MB).argParser(whole(128, 1e6)))
    .option('--cache <dir>', 'folder for packages and the controller', defaultCache(process.env, process.getuid?.()));
}

async function standingCloud(state: string): Promise<LabStatus> {
  const status = await ask(state, { op: 'status' });
  if (status) requireCloud(status, state);
  if (status) return status;
  throw new ReveilleError('LAB_FAILED', `no lab cloud of ${state} is up`, {
    hint: 'Set one up: reveille lab cloud up --site DIR',
  });
}

/** The cloud of a rack; `undefined` while it is set up. Throws LAB_FAILED for a rack that stands without one. */
function requireCloud({ cloud, doing }: LabStatus, state: string): CloudStatus | undefined {
  if (cloud !== undefined || doing !== undefined) return cloud;
  throw new ReveilleError('LAB_FAILED', `the rack of ${state} stands without a cloud`, {
    hint: 'Take it down first: reveille lab down',
  });
}

/** A line for each image that nodes of the site boot and that has not been built. */
async function imagesToBuild(site: Site, { site: folder, state }: UpFlags): Promise<readonly string[]> {
  const shelf = openShelf(join(state, 'images'));
  const names = new Set([...site.nodes.values()].flatMap(({ image }) => image ?? []));
  const missing = await Promise.all([...names].map(async (name) => ((await shelf.current(name)) ? [] : [name])));
  return missing
    .flat()
    .map((name) => `Image ${name} is missing: reveille image build ${name} --site ${folder} --state ${state}`);
}
