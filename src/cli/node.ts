import { Command, Option } from 'commander';
import { formatIpv4 } from '../model/ipv4.ts';
import type { SiteNode } from '../model/node.ts';
import { foldNames } from '../site/foldNames.ts';
import { namesOneNode } from '../site/nodeSet.ts';
import { publicIdentity } from './identity.ts';
import { addCommand, importCommand, removeCommand } from './nodeAdd.ts';
import { jsonOption, nodesArgument, siteOption, stateOption } from './options.ts';
import { jsonText, paint } from './print.ts';
import { nodesOf, siteIn } from './site.ts';
import { askState } from './state.ts';
import { adoptCommand, strangersCommand } from './strangers.ts';
import { table } from './table.ts';

type Flags = { readonly site: string; readonly json?: boolean };
type ListFlags = Flags & { readonly fold: boolean };

/** `reveille node list|show|add|import|remove|strangers|adopt`: what the site declares, with profiles merged, and edits of it. */
export function nodeCommand(): Command {
  const list = new Command('list')
    .description('list the nodes that the site declares')
    .addArgument(nodesArgument({ required: false }))
    .addOption(new Option('-f, --fold', 'their names alone, as ranges: node[01-16],store').default(false))
    .addOption(siteOption())
    .addOption(jsonOption())
    .action(async (set: string, flags: ListFlags) => {
      const site = await siteIn(flags.site);
      const nodes = set === '' ? [...site.nodes.values()] : nodesOf(site, set);
      if (flags.json) return console.log(jsonText(nodes.map(plain)));
      if (flags.fold) return console.log(foldNames(nodes.map(({ name }) => name)).join(','));
      const rows = nodes.map((node) => [
        node.name,
        address(node) ?? '-',
        node.macs.join(' '),
        bootWords(node),
        node.profiles.join(', ') || '-',
      ]);
      const [heading, ...lines] = table([['NODE', 'ADDRESS', 'MAC', 'IMAGE', 'PROFILES'], ...rows]).split('\n');
      console.log([paint('bold', heading ?? ''), ...lines].join('\n'));
    });

  const show = new Command('show')
    .description(
      'show nodes with their profiles merged, their own settings last, and what is public of their identities',
    )
    .addArgument(nodesArgument({ required: true }))
    .addOption(siteOption())
    .addOption(stateOption())
    .addOption(jsonOption())
    .action(async (set: string, flags: Flags & { readonly state: string }) => {
      const chosen = nodesOf(await siteIn(flags.site), set);
      const known = await askState(
        flags.state,
        (store) =>
          Promise.all(
            chosen.map(async ({ name }) =>
              publicIdentity(await store.identities.read(name), (await store.certificates.read(name))?.certificate),
            ),
          ),
        [],
      );
      const nodes = chosen.map((node, i) => ({ ...plain(node), identity: known[i] ?? null }));
      if (flags.json) return console.log(jsonText(namesOneNode(set) ? nodes[0] : nodes));
      const shown = nodes.map(({ identity, ...node }) =>
        table([...rows(node), ...(identity === null ? [['identity:', 'made at its first boot']] : rows(identity))]),
      );
      console.log(shown.join('\n\n'));
    });

  return new Command('node')
    .description('the nodes that the site declares')
    .addHelpText(
      'after',
      '\nExample:\n  reveille node list --site mysite\n  reveille node list node[01-16] --site mysite\n  reveille node show node01 --site mysite',
    )
    .addCommand(list)
    .addCommand(show)
    .addCommand(addCommand())
    .addCommand(importCommand())
    .addCommand(removeCommand())
    .addCommand(strangersCommand())
    .addCommand(adoptCommand());
}

/** A node as JSON has it: addresses in dotted form, options by number in hexadecimal. */
function plain(node: SiteNode): Record<string, unknown> {
  const options = [...node.options].map(([code, bytes]) => [code, Buffer.from(bytes).toString('hex')] as const);
  const { overlayOrigins: _, replace, ...shown } = node;
  return {
    ...shown,
    ip: address(node) ?? null,
    network: node.network ?? null,
    image: node.image ?? null,
    boot: node.boot ?? null,
    ...(node.nextServer === undefined ? {} : { nextServer: formatIpv4(node.nextServer) }),
    replace: replace.map(({ path, token, value }) => ({ path, token, value })),
    options: Object.fromEntries(options),
  };
}

/** A map as rows of a table; the keys of SSH by their fingerprints. */
function rows(map: Record<string, unknown>): string[][] {
  return Object.entries(map).flatMap(([key, value]): string[][] => {
    if (key === 'sshHostKeys')
      return Object.entries(value as Record<string, Fingerprint>).map(([type, one]) => [
        `ssh ${type}:`,
        one.fingerprint,
      ]);
    if (key === 'novaKey') return [['ssh of nova:', (value as Fingerprint).fingerprint]];
    if (key === 'certificate') {
      const { names, to } = value as { readonly names: string; readonly to: string };
      return [['certificate:', `${names}; until ${to}`]];
    }
    return [[`${key}:`, words(value)]];
  });
}

type Fingerprint = { readonly fingerprint: string };

function bootWords({ image, boot, bootFile }: SiteNode): string {
  if (bootFile !== undefined) return `file: ${bootFile}`;
  return image ?? (boot === undefined ? '-' : `menu: ${boot}`);
}

function address(node: SiteNode): string | undefined {
  return node.ip === undefined ? undefined : formatIpv4(node.ip);
}

function words(value: unknown): string {
  if (value === null) return '-';
  if (Array.isArray(value)) return value.join(', ') || '-';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
