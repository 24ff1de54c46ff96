import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { ReveilleError } from '../errors.ts';
import { defaultCache } from '../image/cache.ts';
import type { RootStep } from '../image/mmdebstrap.ts';
import { controllerRoot } from '../lab/cloud/controllerRoot.ts';
import { aliveIn, type Instance } from '../lab/cloud/instances.ts';
import { copySite, type LabCloud, openLabCloud } from '../lab/cloud/open.ts';
import { labFolder } from '../lab/hold.ts';
import { takeLock } from '../lock.ts';
import { isInService } from '../timeline/boots.ts';
import { diagnose } from '../timeline/diagnose.ts';
import type { NodeStatus, Status } from '../timeline/status.ts';
import { diagnosisText } from '../words/diagnosis.ts';
import { bootAll, buildImages, elapsed, forgetLastTime, heading, showBoots } from './demoStage.ts';
import { plainProgress } from './image.ts';
import { paint } from './print.ts';
import { bootText, nodeNamed } from './status.ts';

const CLOUD_SITE = join(import.meta.dirname, '../../examples/cloud');
const MEMORY_MB = 2048;
const BOOT_PATIENCE_MS = 600_000;
const WORD_PATIENCE_MS = 180_000;
/** It is nova-compute on the node that reads a console: to ask often slows the instance down. */
const ASK_AGAIN_MS = 4000;

/** `reveille demo-cloud`: bare machines to a running instance of a real OpenStack, and the instance to the other node. */
export function demoCloudCommand(): Command {
  return new Command('demo-cloud')
    .description('boot two compute nodes into a real OpenStack cloud, and move an instance between them (needs root)')
    .option('--cache <dir>', 'folder for packages and images', defaultCache(process.env, process.getuid?.()))
    .addHelpText('after', '\nExample:\n  sudo reveille demo-cloud')
    .action(async ({ cache }: { cache: string }) => {
      await mkdir(cache, { recursive: true });
      await takeLock(join(cache, 'demo-cloud.lock'), () => console.log('another demo is running here: waiting'));
      const state = join(cache, 'demo-cloud');
      await forgetLastTime(state);
      const site = await copySite(CLOUD_SITE, state);
      heading(1, `The site: ${CLOUD_SITE}`);
      const shown = plainProgress((line) => console.log(`  ${line}`));
      const onStep = (step: RootStep) => shown({ phase: 'controller', ...step });
      await Promise.all([
        buildImages(site, state, cache, 'four minutes, with the controller,'),
        controllerRoot(cache, onStep),
      ]);

      heading(
        3,
        'Two machines without disks are switched on, and a controller: Keystone, Placement, Nova, Neutron, Glance',
      );
      const cloud = await openLabCloud(site, { state, cache, memoryMb: MEMORY_MB, onStep, meanwhile: bootAll });
      try {
        console.log(`  consoles and logs: ${labFolder(state)}`);
        heading(4, 'The machines come into service');
        const status = await showBoots(cloud.rack, state, BOOT_PATIENCE_MS, isSettled);
        requireService(cloud, status);
        for (const { name } of cloud.rack.rack.machines) console.log(`${bootText(nodeNamed(status, name))}\n`);
        await runInstances(cloud);
        console.log(
          paint(
            'green',
            `\nThe cloud runs on machines that have no disk, and an instance outlived its node, after ${elapsed()}.`,
          ),
        );
      } finally {
        await cloud.close();
        console.log('The machines, the controller and their network are gone again.');
      }
    });
}

/** Starts an instance on each node, lets them find each other, and moves the first to the second node. */
async function runInstances({ operator, rack, site }: LabCloud): Promise<void> {
  const [first = '', second = ''] = rack.rack.machines.map(({ name }) => name);
  heading(5, 'An instance on each node; they reach each other through VXLAN');
  await operator.run('resources', { image: site.nodes.get(first)?.image ?? '', peers: [1, 2] });
  const [one, two] = await Promise.all([
    operator.run('launch', { number: 1, host: first }),
    operator.run('launch', { number: 2, host: second }),
  ]);
  for (const instance of [one, two]) console.log(`  ${instance.name} is ${instance.status} on ${instance.host}`);
  console.log(`  ${await lastWord(one, /reaches: 2/)}`);
  console.log(`  ${await lastWord(two, /reaches: 1/)}`);

  heading(6, `${one.name} moves to ${second} and goes on where it was`);
  const before = seconds(await lastWord(one, /alive/));
  const moved = await operator.run('migrate', { instance: one.id });
  const after = await lastWord(moved, /reaches: 2/, (word) => seconds(word) > before);
  console.log(`  ${moved.name} is ${moved.status} on ${moved.host}: ${after}`);

  /** The newest line of the instance's console that matches; the console is asked until there is one. */
  async function lastWord(of: Instance, wanted: RegExp, and = (_word: string) => true): Promise<string> {
    for (const deadline = Date.now() + WORD_PATIENCE_MS; ; await sleep(ASK_AGAIN_MS)) {
      const text = await operator.run('console', { instance: of.id });
      const word = text.split(/\r?\n/).findLast((line) => wanted.test(line) && and(line));
      if (word !== undefined) return word.trim();
      if (Date.now() < deadline) continue;
      throw new ReveilleError('LAB_FAILED', `${of.name} never said ${wanted}; its console ends:\n${text.slice(-600)}`);
    }
  }
}

function seconds(word: string): number {
  return aliveIn(word)?.seconds ?? Number.NaN;
}

function isSettled({ state, boot }: NodeStatus): boolean {
  return state === 'failed' || (boot !== null && isInService(boot));
}

function requireService(cloud: LabCloud, status: Status): void {
  for (const { name } of cloud.rack.rack.machines) {
    const node = nodeNamed(status, name);
    if (node.state === 'ready' && isSettled(node)) continue;
    const { summary, advice } = diagnosisText(diagnose(node, true, Date.now()));
    throw new ReveilleError('LAB_FAILED', [summary, ...advice].join('\n'), {
      hint: `its console is ${cloud.rack.console(name)}`,
    });
  }
}
