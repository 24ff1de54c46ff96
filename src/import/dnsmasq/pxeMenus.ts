import { parseIpv4 } from '../../model/ipv4.ts';
import type { Path } from '../../site/yaml.ts';
import { reason, type Why } from '../reason.ts';
import type { ServiceLine } from './bootLines.ts';
import { distribute, type Given, type Placement, type Request } from './distribute.ts';
import { type Line, ownerAt, pathsOf, tellOutcomes, withoutRests } from './outcomes.ts';
import { type PxePrompt, pxeMenu } from './pxeMenu.ts';
import type { Reading } from './reading.ts';
import type { Field, Setting } from './settings.ts';
import { holds, tagOf } from './tagBook.ts';
import { tagged } from './values.ts';

type Prompt = { readonly setting: Setting; readonly needs: readonly Field[]; readonly prompt: PxePrompt };

/**
 * Writes the menus of `pxe-service` whose items all have no boot file, such as the one that a Raspberry Pi waits for, as bytes
 * of option 43 for the firmware that they are for. An item beside others with a file is left out: the first file boots. Tells
 * what became of `pxe-prompt`; gives the items that are in the report by then.
 */
export function draftMenus(services: readonly ServiceLine[], reading: Reading): ReadonlySet<Line> {
  const prompts = promptsOf(reading);
  const items = services.filter(({ file }) => file === undefined);
  const shown = new Set<Setting>();
  const tagsOf = (lines: readonly Line[]) => lines.flatMap(({ needs }) => needs.map(({ text }) => tagOf(text)));
  const mentioned = [...tagsOf(services), ...tagsOf(prompts), ...services.map(({ tag }) => tag)];
  const besideFiles = new Set<ServiceLine>();
  const tooLong = new Set<ServiceLine>();
  const decide = ({ tags }: Request, active: ReadonlySet<number>): Given<string> | undefined => {
    const all = services.filter((one) => tags.has(one.tag) && holds(one.needs, tags));
    const menu = all.filter((one) => one.file === undefined && active.has(items.indexOf(one)));
    const [first] = menu;
    if (first === undefined) return undefined;
    if (menu.length < all.length) {
      for (const one of menu) besideFiles.add(one);
      return undefined;
    }
    const prompt = prompts.findLast(({ needs }) => holds(needs, tags));
    const bytes = pxeMenu(
      menu.map(({ words, type, server }) => ({
        words,
        type,
        server: server === undefined ? undefined : parseIpv4(server),
      })),
      prompt?.prompt,
    );
    if (bytes === undefined) {
      tooLong.add(first);
      return undefined;
    }
    if (prompt !== undefined) shown.add(prompt.setting);
    return {
      line: items.indexOf(first),
      value: Buffer.from(bytes)
        .toString('hex')
        .replace(/(..)(?!$)/g, '$1:'),
    };
  };
  const outcome = withoutRests(items, (active) => distribute(reading, mentioned, (request) => decide(request, active)));
  const written = new Map<Placement<string>, { paths: readonly Path[]; notes: readonly Why[] }>();
  for (const placement of outcome.settled.placements) written.set(placement, write(placement, reading));
  const told = new Set<Line>();
  for (const line of items) {
    const why = whyLeft(line, { besideFiles, tooLong });
    if (why === undefined) continue;
    reading.left(line.setting, why);
    told.add(line);
  }
  tellOutcomes(items, shareMenus(items, outcome), written, reading, told);
  for (const { setting } of prompts) tellPrompt(setting, shown, outcome.settled.placements, written, reading);
  return new Set(items);
}

function whyLeft(
  line: ServiceLine,
  {
    besideFiles,
    tooLong,
  }: { readonly besideFiles: ReadonlySet<ServiceLine>; readonly tooLong: ReadonlySet<ServiceLine> },
): string | undefined {
  if (tooLong.has(line)) return 'its menu is longer than option 43 can be';
  if (!besideFiles.has(line)) return undefined;
  return line.type === 0 && line.server === undefined
    ? 'firmware shows no menu: the first file is booted; the menu of the site has the disk as `local`'
    : 'firmware shows no menu: the first file is booted, and the boot servers of other items are not asked';
}

/** Items of one menu stand in one option: what became of the first became of them all. */
function shareMenus<T extends ReturnType<typeof withoutRests<ServiceLine, string>>>(
  items: readonly ServiceLine[],
  outcome: T,
): T {
  const covered = items.flatMap((item, i) => {
    const first = items.findIndex(({ tag, needs }) => tag === item.tag && sameNeeds(needs, item.needs));
    return first === i ? [] : [{ line: i, by: first }];
  });
  return { ...outcome, settled: { ...outcome.settled, covered: [...outcome.settled.covered, ...covered] } };
}

function sameNeeds(one: readonly Field[], other: readonly Field[]): boolean {
  return JSON.stringify(one.map(({ text }) => text)) === JSON.stringify(other.map(({ text }) => text));
}

function write(
  { target, value }: Placement<string>,
  reading: Reading,
): { paths: readonly Path[]; notes: readonly Why[] } {
  const paths = pathsOf(target, reading).flatMap((path) => {
    const owner = ownerAt(path, reading);
    owner.options = {
      ...owner.options,
      'vendor-class-identifier': 'PXEClient',
      'vendor-encapsulated-options': { hex: value },
    };
    return [[...path, 'options', 'vendor-encapsulated-options']];
  });
  // Firmware that finds its files by their names, as a Raspberry Pi does, fetches them from siaddr.
  const lost: string[] = [];
  for (const { name, text } of reading.networks) {
    if (text.nextServer !== undefined || text.bootFile !== undefined) continue;
    if (text.server === undefined) lost.push(name);
    else text.nextServer = text.server;
  }
  const notes =
    lost.length === 0
      ? []
      : [reason`write this server's address as \`nextServer\` of network ${lost.join(', ')}, where files are fetched`];
  return { paths, notes };
}

function promptsOf(reading: Reading): readonly Prompt[] {
  return reading.of('pxe-prompt').map((setting) => {
    const { needs, rest } = tagged(setting.fields);
    const [words, seconds] = rest;
    return {
      setting,
      needs,
      prompt: { words: words?.text ?? '', seconds: Math.min(Number(seconds?.text ?? 255) || 0, 255) },
    };
  });
}

function tellPrompt(
  setting: Setting,
  shown: ReadonlySet<Setting>,
  placements: readonly Placement<string>[],
  written: ReadonlyMap<Placement<string>, { readonly paths: readonly Path[] }>,
  reading: Reading,
): void {
  const paths = shown.has(setting) ? placements.flatMap((placement) => written.get(placement)?.paths ?? []) : [];
  if (paths.length > 0) reading.taken(setting, paths, 'in the bytes of option 43');
  else
    reading.left(setting, 'firmware shows no menu of its own: it boots at once; the menu of the site comes after it');
}
