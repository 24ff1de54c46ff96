import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ReveilleError } from '../errors.ts';
import { defaultCache } from '../image/cache.ts';
import { labFolder } from '../lab/hold.ts';
import { type OpenRack, openRack, tail } from '../lab/open.ts';
import { rackOfSite } from '../lab/siteRack.ts';
import { takeLock } from '../lock.ts';
import { dashedIpv4, formatIpv4 } from '../model/ipv4.ts';
import type { SiteNode } from '../model/node.ts';
import type { Site } from '../site/site.ts';
import { diagnose } from '../timeline/diagnose.ts';
import type { Status } from '../timeline/status.ts';
import { diagnosisText } from '../words/diagnosis.ts';
import { bootAll, buildImages, elapsed, forgetLastTime, heading, showBoots } from './demoStage.ts';
import { paint } from './print.ts';
import { siteIn } from './site.ts';
import { bootText, nodeNamed } from './status.ts';
import { table } from './table.ts';

const DEMO_SITE = join(import.meta.dirname, '../../examples/demo');

type Flags = { readonly cache: string; readonly deadline: number };

/** `reveille demo`: the whole way, here and now. Ends with exit code 1 unless every node is ready and has proved it. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('boot two diskless virtual machines into their roles and prove it; leaves nothing running')
    .option('--cache <dir>', 'folder for packages and images', defaultCache(process.env, process.getuid?.()))
    .addOption(
      new Option('--deadline <seconds>', 'how long the boots may take').default(300).argParser((text) => {
        if (/^[1-9][0-9]{0,4}$/.test(text)) return Number(text);
        throw new InvalidArgumentError('give a whole number of seconds');
      }),
    )
    .addHelpText('after', '\nExample:\n  reveille demo --deadline 600')
    .action(async ({ cache, deadline }: Flags) => {
      const state = join(cache, 'demo');
      const site = await siteIn(DEMO_SITE);
      heading(1, `The site: ${DEMO_SITE}`);
      for (const node of booted(site)) console.log(`  ${nodeWords(node)}`);

      await mkdir(cache, { recursive: true });
      // Two at once would write over each other's consoles; the lock ends with the process.
      await takeLock(join(cache, 'demo.lock'), () =>
        console.log('  another demo is running here: waiting for its end'),
      );
      await forgetLastTime(state);
      await buildImages(site, state, cache, 'half a minute');

      heading(3, 'A virtual rack, with the real server in it');
      const rack = await openRack(rackOfSite(site), { folder: labFolder(state) });
      try {
        const server = await rack.startServer({ site: DEMO_SITE, state });
        const speed = rack.accelerator === 'kvm' ? 'KVM' : 'TCG: this machine has no working KVM, so all takes longer';
        console.log(`  machines run with ${speed}\n  consoles and the server's log: ${labFolder(state)}`);

        heading(4, 'Two machines without disks are switched on');
        await bootAll(rack);
        const status = await showBoots(
          rack,
          state,
          deadline * 1000,
          ({ state: now }) => now === 'ready' || now === 'failed',
        );
        const proofs = await Promise.all(booted(site).map((node) => prove(rack, site, node, status)));

        heading(5, 'What each boot took');
        for (const node of booted(site)) console.log(`${bootText(nodeNamed(status, node.name))}\n`);

        heading(6, 'What each node proved, in its own words, on its serial console');
        console.log(proofText(proofs));
        for (const proof of proofs.filter((one) => one.failure !== undefined)) {
          await tellFailure(rack, proof, status, deadline);
        }
        await server.stop();
        if (proofs.some((proof) => proof.failure !== undefined)) process.exitCode = 1;
        else console.log(paint('green', `\nBoth nodes are ready and are what the site says, after ${elapsed()}.`));
      } finally {
        await rack.close();
        console.log('The machines, the server and their network are gone again.');
      }
    });
}

function booted(site: Site): readonly SiteNode[] {
  return [...site.nodes.values()].filter((node) => node.image !== undefined);
}

function nodeWords(node: SiteNode): string {
  const ip = node.ip === undefined ? 'an address of a pool' : formatIpv4(node.ip);
  const loader = node.loader === 'auto' ? 'the loader that its firmware allows' : node.loader;
  return `${node.name}: ${node.macs[0]}, ${ip}, image ${node.image}, ${loader}`;
}

type Proof = { readonly node: string; readonly facts: ReadonlyMap<string, string>; readonly failure?: string };

/** Reads what the node's settings.sh wrote on its console, and holds it against the site. */
async function prove(rack: OpenRack, site: Site, node: SiteNode, status: Status): Promise<Proof> {
  const state = nodeNamed(status, node.name).state;
  if (state !== 'ready') return { node: node.name, facts: new Map(), failure: `it is not ready but ${state}` };
  const { ip } = node;
  if (ip === undefined) return { node: node.name, facts: new Map(), failure: 'the site gives it no address' };
  const motd = await readFile(join(site.root, 'nodes', dashedIpv4(ip), 'files/etc/motd'));
  const expected = new Map<string, string>([
    ['name', node.name],
    ['address', formatIpv4(ip)],
    ['role', String(node.vars.role)],
    ['shelf', String(node.vars.shelf)],
    ['beacon', String(node.vars.role)],
    ['motd', createHash('sha256').update(motd).digest('hex')],
    ['root', 'ramfs'],
    ['uid', '0'],
  ]);
  try {
    const [, words = ''] = await rack.waitForConsole(node.name, /demo-proof ([^\r\n]*)\r?\n/, 10_000);
    const facts = new Map(words.split(' ').map((word) => word.split('=', 2) as [string, string]));
    const wrong = [...expected].find(([key, value]) => facts.get(key) !== value);
    if (!wrong) return { node: node.name, facts };
    return { node: node.name, facts, failure: `it says ${wrong[0]}=${facts.get(wrong[0])}, the site says ${wrong[1]}` };
  } catch (error) {
    if (!(error instanceof ReveilleError)) throw error;
    return { node: node.name, facts: new Map(), failure: 'its settings.sh wrote nothing on the console' };
  }
}

function proofText(proofs: readonly Proof[]): string {
  const rows = proofs.map(({ node, facts, failure }) => {
    const fact = (key: string) => facts.get(key) ?? '-';
    const files = `role.conf: ${fact('role')}, shelf ${fact('shelf')}; motd ${fact('motd').slice(0, 8)}`;
    return [
      node,
      fact('name'),
      fact('address'),
      files,
      fact('beacon'),
      fact('root'),
      failure === undefined ? 'yes' : 'NO',
    ];
  });
  return table([['NODE', 'HOSTNAME', 'ADDRESS', 'FILES', 'SERVICE SAW', 'ROOT', 'AS DECLARED'], ...rows]);
}

async function tellFailure(rack: OpenRack, { node, failure }: Proof, status: Status, deadline: number): Promise<void> {
  const { summary, advice } = diagnosisText(diagnose(nodeNamed(status, node), true, Date.now()));
  console.log(paint('red', `\n${node}: ${failure} (waited up to ${deadline} s)`));
  console.log([`  ${summary}`, ...advice.map((line) => `  ${line}`)].join('\n'));
  console.log(`  the end of its console (${rack.console(node)}):`);
  console.log((await tail(rack.console(node))).replace(/^/gm, '    '));
}
