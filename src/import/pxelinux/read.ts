import { inRange } from '../../net/ipv4.ts';
import type { SiteDraft } from '../draft.ts';
import type { Said } from './config.ts';
import { type ConfigFor, configFor } from './configNames.ts';
import { type DraftNode, draftNodes, isPxelinux } from './draftNodes.ts';
import { Entries } from './entries.ts';
import { takeFolders } from './folders.ts';
import { type Choice, Menu } from './menu.ts';
import { Tree } from './tree.ts';

/**
 * Adds a folder that a TFTP server gave out to the draft: `tftp.root`, the labels of pxelinux.cfg as entries of the menu,
 * what each node boots, and the nodes' folders. The nodes have to be in the draft by then. Throws IMPORT_INVALID.
 */
export async function readTree(draft: SiteDraft, folder: string): Promise<void> {
  const tree = await Tree.open(folder);
  draft.site.tftp = { ...draft.site.tftp, root: tree.root };
  const configs = await tree.configs();
  const nodes = draftNodes(draft);
  if (configs.length > 0) await takeConfigs(draft, tree, configs, nodes);
  await takeFolders(draft, tree, nodes);
}

async function takeConfigs(draft: SiteDraft, tree: Tree, configs: readonly string[], nodes: readonly DraftNode[]) {
  const menu = new Menu(draft, tree, new Entries(draft));
  const path = (name: string) => [tree.prefix, 'pxelinux.cfg', name].filter((part) => part !== '').join('/');

  startFromTop(draft, tree);
  const usual = configs.includes('default') ? await menu.take(path('default')) : undefined;
  if (usual !== undefined && draft.site.menu !== undefined) {
    draft.site.menu.timeout = usual.timeoutSeconds;
    draft.site.menu.default = usual.boots;
    draft.comment(['menu', 'default'], wordsOf(usual.from));
  }
  const choices = new Map<string, Choice>();
  for (const { name, wanted } of configs.map(named).sort(mostExactFirst)) {
    const place = { file: path(name), line: 1, col: 1 };
    const members = nodes.filter((node) => belongs(node, wanted) && !choices.has(node.name));
    const why = servedAsItIs(wanted, members.length);
    if (why !== undefined) draft.remark(wanted?.kind === 'uuid' ? 'taken' : 'left', place, path(name), why);
    if (members.length === 0) continue;
    const choice = await menu.take(path(name), members.length === 1 ? members[0]?.name : name);
    if (choice === undefined) continue;
    if (usual !== undefined && choice.timeoutSeconds !== usual.timeoutSeconds) {
      const why = `the menu has one time, that of ${path('default')}`;
      draft.remark('changed', place, `${path(name)} waits ${choice.timeoutSeconds} s`, why);
    }
    for (const node of members) choices.set(node.name, choice);
  }
  assign(draft, nodes, choices, usual);
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

/** Why a file of pxelinux.cfg is not read into the site, where it is not. */
function servedAsItIs(wanted: ConfigFor | undefined, members: number): string | undefined {
  switch (wanted?.kind) {
    case undefined:
      return 'pxelinux asks for no file of this name by itself';
    case 'unasked':
      return wanted.why;
    case 'uuid':
      return 'a machine of this UUID is given this very file, from tftp.root';
    case 'mac':
    case 'addresses':
      return members > 0
        ? undefined
        : 'it is for no node of the site; who asks for it is given this very file, from tftp.root';
    default:
      return undefined;
  }
}

/**
 * Writes what each node boots: where a profile makes its nodes start pxelinux, what most of them boot stands there, and only
 * the others say something else.
 */
function assign(
  draft: SiteDraft,
  nodes: readonly DraftNode[],
  choices: ReadonlyMap<string, Choice>,
  usual: Choice | undefined,
): void {
  const choiceOf = (node: DraftNode) => choices.get(node.name) ?? usual;
  const starting = nodes.filter(({ pxelinuxBy }) => pxelinuxBy !== undefined);
  const groups = Map.groupBy(starting, ({ pxelinuxBy }) => pxelinuxBy ?? '');
  for (const [profile, members] of groups) {
    const declared = profile === '' ? undefined : draft.site.profiles?.[profile];
    const common = declared && shared(members.map(choiceOf).filter((choice) => choice !== undefined));
    if (declared && common) {
      boot(declared, common);
      draft.comment(['profiles', profile, 'boot'], wordsOf(common.from));
    }
    for (const node of members) {
      const choice = choiceOf(node);
      if (choice === undefined || choice.boots === common?.boots) continue;
      boot(node.own, choice);
      draft.comment(['nodes', node.name, 'boot'], wordsOf(choice.from));
    }
  }
  for (const node of nodes) {
    const choice = choices.get(node.name);
    if (choice === undefined || node.pxelinuxBy !== undefined) continue;
    const why = `${node.name} is not told to start pxelinux, so nothing of it is booted`;
    draft.remark('changed', choice.from.place, `the configuration of ${node.name}`, why);
  }
}

/** What says which boot file is told says now what the loader boots. */
function boot(layer: DraftNode['own'], { boots }: Choice): void {
  layer.boot = boots;
  if (layer.bootFile === undefined) return;
  delete layer.bootFile;
  layer.loader = 'pxelinux';
}

/**
 * Networks and classes that are told pxelinux of a folder in the tree are told that at the top: there the menu's names start.
 */
function startFromTop(draft: SiteDraft, { prefix }: Tree): void {
  const { networks, classes } = draft.site;
  for (const layer of [...Object.values(networks ?? {}), ...Object.values(classes ?? {})]) {
    const { bootFile, nextServer } = layer;
    if (bootFile === undefined || nextServer !== undefined || !isPxelinux(bootFile) || !bootFile.includes('/'))
      continue;
    layer.bootFile = 'pxelinux.0';
    const place = { file: `${prefix}/pxelinux.cfg`, line: 1, col: 1 };
    draft.remark(
      'changed',
      place,
      `boot file ${bootFile}`,
      'told as pxelinux.0, so that names start at the top of the tree',
    );
  }
}

/** What most of them boot, unless each boots something of its own. */
function shared(choices: readonly Choice[]): Choice | undefined {
  const groups = [...Map.groupBy(choices, ({ boots }) => boots).values()];
  const [most = []] = groups.toSorted((one, other) => other.length - one.length);
  return most.length > 1 || choices.length === 1 ? most[0] : undefined;
}

function wordsOf({ value, place }: Said): string {
  return `${place.file}:${place.line}: ${value}`;
}
