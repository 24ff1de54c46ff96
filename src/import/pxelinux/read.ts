import { posix } from 'node:path';
import { type Ipv4Range, inRange } from '../../model/ipv4.ts';
import type { SiteDraft } from '../draft.ts';
import { reason, type Why } from '../reason.ts';
import type { Said } from './config.ts';
import { type ConfigFor, configFor } from './configNames.ts';
import { type DraftNode, draftNodes, isPxelinux } from './draftNodes.ts';
import { Entries } from './entries.ts';
import { takeFolders } from './folders.ts';
import { type Choice, Menu } from './menu.ts';
import { shownText, Teller } from './tell.ts';
import { Tree } from './tree.ts';

/**
 * Adds a folder that a TFTP server gave out to the draft: `tftp.root`, the labels of pxelinux.cfg as entries of the menu,
 * what each node boots, and the nodes' folders. The nodes have to be in the draft by then. Throws IMPORT_INVALID.
 */
export async function readTree(draft: SiteDraft, folder: string): Promise<void> {
  const tree = await Tree.open(folder, bootFolders(draft));
  draft.site.tftp = { ...draft.site.tftp, root: tree.root };
  const teller = new Teller(draft);
  for (const other of tree.otherPrefixes) {
    const file = posix.join(other, 'pxelinux.cfg');
    const why = reason`only ${posix.join(tree.prefix, 'pxelinux.cfg')} is read: a site has one menu`;
    teller.tell('left', { file, line: 1, col: 1 }, file, why);
  }
  const configs = await tree.configs();
  const nodes = draftNodes(draft);
  if (configs.length > 0) await takeConfigs(draft, tree, configs, nodes, teller);
  await takeFolders(draft, tree, nodes, teller);
}

/** Folders that machines fetch pxelinux from. */
function bootFolders(draft: SiteDraft): readonly string[] {
  const { profiles, nodes } = draft.site;
  return [...networkLayers(draft), ...Object.values(profiles ?? {}), ...Object.values(nodes ?? {})].flatMap(
    ({ bootFile, nextServer }) =>
      bootFile !== undefined && nextServer === undefined && isPxelinux(bootFile)
        ? [posix.dirname(bootFile.replaceAll('\\', '/')).replace(/^\/+|^\.$/g, '')]
        : [],
  );
}

/** What gives a boot file by where a machine is: networks, their pools, classes. */
function networkLayers({ site }: SiteDraft): readonly BootLayer[] {
  const networks = Object.values(site.networks ?? {});
  const pools = networks.flatMap((network) => (Array.isArray(network.pools) ? network.pools : []));
  const layers: readonly unknown[] = [...networks, ...pools, ...Object.values(site.classes ?? {})];
  return layers.filter((layer): layer is BootLayer => typeof layer === 'object' && layer !== null);
}

type BootLayer = { bootFile?: string; nextServer?: string };

async function takeConfigs(
  draft: SiteDraft,
  tree: Tree,
  configs: readonly string[],
  nodes: readonly DraftNode[],
  teller: Teller,
): Promise<void> {
  const menu = new Menu(draft, tree, new Entries(draft), teller);
  const path = (name: string) => posix.join(tree.prefix, 'pxelinux.cfg', name);
  const place = (name: string) => ({ file: path(name), line: 1, col: 1 });

  const isMoved = startFromTop(draft, tree, teller);
  const usual = configs.includes('default') ? await menu.take(path('default')) : undefined;
  const all = configs.map(named).sort(mostExactFirst);
  const choices = new Map<string, Choice>();
  for (const { name, wanted } of all) {
    if (wanted?.kind !== 'mac' && wanted?.kind !== 'addresses') continue;
    const members = nodes.filter((node) => belongs(node, wanted));
    const undecided = members.filter((node) => !choices.has(node.name));
    if (members.length === 0) {
      teller.tell('left', place(name), path(name), reason`it is for no node of the site; ${servedAs(name, tree)}`);
      continue;
    }
    // One with several cards may boot from any of them.
    const torn = wanted.kind === 'mac' ? members.filter((node) => choices.has(node.name)) : [];
    if (undecided.length === 0 && torn.length === 0) continue;
    const choice = await menu.take(path(name), members.length === 1 ? members[0]?.name : name);
    if (usual !== undefined && choice.timeoutSeconds !== usual.timeoutSeconds) {
      const why = `the menu has one time, that of ${path('default')}`;
      teller.tell('changed', place(name), `${path(name)} waits ${choice.timeoutSeconds} s`, why);
    }
    for (const node of undecided) choices.set(node.name, choice);
    for (const node of torn) {
      const before = choices.get(node.name);
      if (before === undefined || bootsOf(before) === bootsOf(choice)) continue;
      const why = reason`another of its cards boots ${bootsOf(before)}; here it goes on to its next boot device`;
      teller.tell('changed', choice.from.place, `${node.name} boots ${bootsOf(choice)}`, why);
      choices.set(node.name, { ...choice, boots: 'local' });
    }
  }
  tellUnread(all, path, menu.filesRead, tree, teller);
  if (usual !== undefined)
    chooseForAll(draft, usual, tree, isMoved && all.some(({ wanted }) => isForSome(wanted)), teller);
  const ranges = all.flatMap(({ wanted }) => (wanted?.kind === 'addresses' ? [wanted.range] : []));
  for (const node of nodes) {
    const choice = choices.get(node.name) ?? usual;
    if (choice === undefined || choices.has(node.name) || node.ip !== undefined || bootsOf(choice) === 'local')
      continue;
    if (!ranges.some((range) => isDrawn(range, nodes))) continue;
    const why =
      'its address is drawn, and some addresses have a configuration of their own; here it goes on to its next boot device';
    teller.tell('changed', choice.from.place, `${node.name} boots ${bootsOf(choice)}`, why);
    choices.set(node.name, { boots: 'local', from: choice.from, timeoutSeconds: choice.timeoutSeconds });
  }
  assign(draft, nodes, choices, usual, teller);
}

/** What the site's menu boots where a node says nothing else, which other machines get too. */
function chooseForAll(draft: SiteDraft, usual: Choice, { prefix }: Tree, isAskedNoMore: boolean, teller: Teller): void {
  const { menu } = draft.site;
  if (menu === undefined) return;
  menu.timeout = usual.timeoutSeconds;
  menu.default = isAskedNoMore ? 'local' : usual.boots;
  draft.comment(['menu', 'default'], wordsOf(usual.from));
  if (usual.isLost) return;
  const what = `${usual.boots} boots unasked`;
  if (menu.default === usual.boots) {
    teller.tell('taken', usual.from.place, what, `menu.default, after ${usual.timeoutSeconds} s`, {
      at: [['menu', 'default']],
    });
  } else {
    const why = `machines ask for no file of ${prefix}/pxelinux.cfg any more, and some have one that differs: other machines than the nodes go on to their next boot device`;
    teller.tell('changed', usual.from.place, what, why);
  }
}

/** The node's own configuration, where it has one, comes first. */
function bootsOf({ boots, meant }: Choice): string {
  return meant ?? boots;
}

function isForSome(wanted: ConfigFor | undefined): boolean {
  return wanted?.kind === 'mac' || wanted?.kind === 'addresses' || wanted?.kind === 'uuid';
}

/** Whether an address of the range may be drawn: the one address of a node is not. */
function isDrawn({ first, last }: Ipv4Range, nodes: readonly DraftNode[]): boolean {
  return first !== last || !nodes.some(({ ip }) => ip === first);
}

/** The files that are for no machine by their name, once all are read that others include. */
function tellUnread(
  all: readonly ReturnType<typeof named>[],
  path: (name: string) => string,
  filesRead: ReadonlySet<string>,
  tree: Tree,
  teller: Teller,
): void {
  for (const { name, wanted } of all) {
    const place = { file: path(name), line: 1, col: 1 };
    if (wanted === undefined && !filesRead.has(path(name))) {
      teller.tell(
        'left',
        place,
        path(name),
        'pxelinux asks for no file of this name by itself, and nothing that is read includes it',
      );
    }
    if (wanted?.kind === 'unasked') teller.tell('left', place, path(name), wanted.why);
    if (wanted?.kind !== 'uuid') continue;
    const why =
      tree.prefix === '' ? 'a machine of this UUID is given this very file, from tftp.root' : servedAs(name, tree);
    if (tree.prefix === '') teller.tell('taken', place, path(name), why, { at: [['tftp', 'root']] });
    else teller.tell('left', place, path(name), why);
  }
}

/** Machines ask at the top of the tree. */
function servedAs(name: string, { prefix }: Tree): Why {
  return prefix === ''
    ? 'who asks for it is given this very file, from tftp.root'
    : reason`machines ask for pxelinux.cfg/${name}: move it to the top of tftp.root`;
}

function named(name: string): { name: string; wanted: ConfigFor | undefined } {
  return { name, wanted: configFor(name) };
}

/** In the order in which pxelinux asks. */
function mostExactFirst(one: ReturnType<typeof named>, other: ReturnType<typeof named>): number {
  return rank(one.wanted) - rank(other.wanted);
}

function rank(wanted: ConfigFor | undefined): number {
  if (wanted?.kind === 'mac') return 0;
  return wanted?.kind === 'addresses' ? 9 - wanted.digits : 9;
}

function belongs(node: DraftNode, wanted: ConfigFor | undefined): boolean {
  if (wanted?.kind === 'mac') return node.macs.includes(wanted.mac);
  return wanted?.kind === 'addresses' && node.ip !== undefined && inRange(wanted.range, node.ip);
}

/**
 * Writes what each node boots. A profile that makes its nodes start pxelinux says what machines boot that have no file of their
 * own, so that no node gets another's; the others say something else.
 */
function assign(
  draft: SiteDraft,
  nodes: readonly DraftNode[],
  choices: ReadonlyMap<string, Choice>,
  usual: Choice | undefined,
  teller: Teller,
): void {
  const starting = nodes.filter(({ pxelinuxBy }) => pxelinuxBy !== undefined);
  const groups = Map.groupBy(starting, ({ pxelinuxBy }) => pxelinuxBy ?? '');
  for (const [profile, members] of groups) {
    const declared = profile === '' ? undefined : draft.site.profiles?.[profile];
    const having = nodes.filter(({ own }) => own.profiles?.includes(profile));
    const isWhole = declared !== undefined && having.every((node) => members.includes(node));
    const common = isWhole ? usual : undefined;
    if (declared && common) {
      boot(declared, common);
      draft.comment(['profiles', profile, 'boot'], wordsOf(common.from));
    }
    if (isWhole && members.every(({ name }) => choices.has(name) || usual)) byLoader(declared);
    for (const node of members) {
      const choice = choices.get(node.name) ?? usual;
      if (choice === undefined || (common !== undefined && bootsOf(choice) === bootsOf(common))) continue;
      boot(node.own, choice);
      // The profile's boot file would be sent all the same, and starts names from its own folder.
      if (declared?.bootFile?.includes('/')) node.own.bootFile = 'pxelinux.0';
      draft.comment(['nodes', node.name, 'boot'], wordsOf(choice.from));
    }
  }
  for (const node of nodes) {
    const choice = choices.get(node.name);
    if (choice === undefined || node.pxelinuxBy !== undefined) continue;
    const why = reason`${node.name} has no boot file of its own that starts pxelinux: it gets no \`boot:\``;
    teller.tell('changed', choice.from.place, `the configuration of ${node.name}`, why);
  }
}

/** A layer says what pxelinux boots. */
function boot(layer: DraftNode['own'], choice: Choice): void {
  layer.boot = bootsOf(choice);
  byLoader(layer);
}

/** What set the boot file sets the loader pxelinux now. */
function byLoader(layer: DraftNode['own']): void {
  if (layer.bootFile === undefined) return;
  delete layer.bootFile;
  layer.loader = 'pxelinux';
}

/**
 * Networks, pools and classes that give pxelinux of a folder in the tree give that at the top: there the menu's names
 * start. Gives whether there are any.
 */
function startFromTop(draft: SiteDraft, { prefix }: Tree, teller: Teller): boolean {
  let isMoved = false;
  for (const layer of networkLayers(draft)) {
    const { bootFile, nextServer } = layer;
    if (bootFile === undefined || nextServer !== undefined || !isPxelinux(bootFile) || !bootFile.includes('/'))
      continue;
    layer.bootFile = 'pxelinux.0';
    isMoved = true;
    const place = { file: `${prefix}/pxelinux.cfg`, line: 1, col: 1 };
    const why = 'sent as pxelinux.0, so that names start at the top of the tree';
    teller.tell('changed', place, `boot file ${bootFile}`, why);
  }
  return isMoved;
}

function wordsOf({ value, place }: Said): string {
  return shownText(`${place.file}:${place.line}: ${value}`);
}
