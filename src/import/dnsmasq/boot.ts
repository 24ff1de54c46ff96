import { parseIpv4 } from '../../model/ipv4.ts';
import type { Path } from '../../site/yaml.ts';
import { isPxelinux } from '../pxelinux/draftNodes.ts';
import { reason, type Why } from '../reason.ts';
import { type BootLine, bootLines, type ServiceLine, serviceLines } from './bootLines.ts';
import { classKey, type Distribution, distribute, type Given, type Placement, type Request } from './distribute.ts';
import { chosenOption } from './optionLines.ts';
import { ownerAt, pathsOf, placesInWords, tellOutcomes, withoutRests } from './outcomes.ts';
import { draftMenus } from './pxeMenus.ts';
import type { ProfileText, Reading } from './reading.ts';
import { holds, tagOf } from './tagBook.ts';

/** Stands for the address of this server where it is not known. */
const OWN = 'own';

const OVER_MENU = 'iPXE boots it at once, where the menu of pxe-service was shown to it as well';

type What = 'bootFile' | 'nextServer' | 'name';

/** What a placement says, and of what. */
type Said = {
  readonly what: What;
  readonly text: string;
  /** It is given where nothing boots, so that it does not stand for the boot server. */
  readonly alone?: true;
};
type Written = { readonly paths: readonly Path[]; readonly notes: readonly Why[] };
type AnyLine = BootLine | ServiceLine;

/** From this number of option 93 on firmware is UEFI, to which dnsmasq shows no menu of one item. */
const FIRST_UEFI = 6;

/**
 * Writes which boot file each machine boots, and from which server. Where the boot files move here and a machine starts pxelinux,
 * its node gets that loader; everything else has the file by name.
 */
export function draftBoot(reading: Reading, tree: boolean): void {
  const services = serviceLines(reading);
  const lines: readonly AnyLine[] = [...bootLines(reading), ...services];
  reading.orderTags(orderOf(lines, reading));
  const boots = new Boots(lines, services, reading);
  const mentioned = [
    ...lines.flatMap(({ needs }) => needs.map(({ text }) => tagOf(text))),
    ...services.map(({ tag }) => tag),
  ];

  const files = withoutRests(lines, (active) =>
    distribute(reading, mentioned, (request) => boots.file(request, active)),
  );
  const active = new Set([...lines.keys()].filter((i) => !files.refused.has(i)));
  const isForeign = lines.some(({ server }) => server !== undefined && !isOwn(server, reading));
  const withFiles = isForeign
    ? files.settled.placements.flatMap(({ target }) =>
        target.kind === 'class' ? [classKey(target.tags, target.group)] : [],
      )
    : [];
  const servers = distribute(reading, mentioned, (request) => boots.server(request, active), new Set(withFiles));
  const names = distribute(reading, mentioned, (request) => boots.name(request, active));
  const settled = merged(files.settled, servers, names);

  const written = new Map<Placement<Said>, Written>();
  for (const placement of settled.placements) {
    const line = lines[placement.line];
    const { paths, notes } = write(placement, line, reading);
    const isOver = line !== undefined && boots.overMenus.has(line);
    written.set(placement, { paths, notes: isOver ? [...notes, OVER_MENU] : notes });
  }
  if (tree) useLoader(settled.placements, written, lines, reading);
  const menus = draftMenus(services, reading);
  tellOutcomes(lines, { settled, refused: files.refused }, written, reading, menus);
}

/** Tags by the last line that is for them, so that its class comes last; those of `pxe-service` after those of `dhcp-boot`. */
function orderOf(lines: readonly AnyLine[], reading: Reading): readonly string[] {
  const last = new Map<string, number>();
  const rank = (tag: string, at: number) => {
    for (const one of reading.tags.reasons([tag])) last.set(one, at);
  };
  for (const [i, line] of lines.entries()) {
    const own = line.kind === 'service' ? [line.tag] : [];
    for (const tag of [...line.needs.filter(({ text }) => !/^[!#]/.test(text)).map(({ text }) => text), ...own])
      rank(tag, i);
  }
  const tags = new Set([...reading.tags.machineTags, ...reading.hosts.flatMap(({ sets }) => sets)]);
  return [...tags].toSorted((one, other) => (last.get(one) ?? -1) - (last.get(other) ?? -1));
}

/** What dnsmasq tells a request to boot. */
class Boots {
  readonly #lines: readonly AnyLine[];
  readonly #services: readonly ServiceLine[];
  readonly #reading: Reading;
  /** Lines for iPXE that it would not have come to, for the menu that dnsmasq shows it as well. */
  readonly overMenus = new Set<AnyLine>();

  constructor(lines: readonly AnyLine[], services: readonly ServiceLine[], reading: Reading) {
    this.#lines = lines;
    this.#services = services;
    this.#reading = reading;
  }

  file(request: Request, active: ReadonlySet<number>): Given<Said> | undefined {
    const line = this.#fileLine(request, active);
    return line?.file === undefined ? undefined : this.#given(line, 'bootFile', line.file);
  }

  /** siaddr: what the line of the boot file says, else the address of dnsmasq itself. */
  server(request: Request, active: ReadonlySet<number>): Given<Said> | undefined {
    const own = request.network.text.server ?? OWN;
    const line = this.#fileLine(request, active) ?? this.#boot(request, active);
    if (line === undefined) {
      const siaddr = this.#option(request, active, ({ server }) => server !== undefined);
      return this.#given(siaddr, 'nextServer', this.#notOwn(siaddr?.server) ?? own);
    }
    const name = this.#nameOf(line, request, active);
    const [direct, named] = [this.#notOwn(line.server), this.#notOwn(this.#addressIn(name))];
    const said = direct ?? named;
    const from = direct === undefined && named !== undefined ? name?.line : line;
    const given = this.#given(from, 'nextServer', said ?? own);
    return said === undefined && /:\/\//.test(line.file ?? '') ? { ...given, free: true } : given;
  }

  /** Option 66: a name, where the line says no address besides. */
  name(request: Request, active: ReadonlySet<number>): Given<Said> | undefined {
    const own = request.network.text.server ?? OWN;
    const line = this.#fileLine(request, active);
    const said = this.#nameOf(line, request, active);
    const from = said?.line ?? line;
    if (line === undefined && said !== undefined && this.#boot(request, active) === undefined) {
      const given = this.#given(from, 'name', said.text);
      const text = parseIpv4(said.text) === 0 ? OWN : said.text;
      return { ...given, value: { what: 'name', text, alone: true } };
    }
    if (said === undefined || this.#addressIn(said) !== undefined) return this.#given(from, 'name', own);
    return line?.server === undefined ? this.#given(from, 'name', said.text) : this.#given(from, 'name', own);
  }

  #given(line: AnyLine | undefined, what: What, text: string): Given<Said> {
    return { line: line === undefined ? -1 : this.#lines.indexOf(line), value: { what, text } };
  }

  #notOwn(server: string | undefined): string | undefined {
    return server === undefined || isOwn(server, this.#reading) ? undefined : server;
  }

  #addressIn(said: { readonly text: string } | undefined): string | undefined {
    return said === undefined || parseIpv4(said.text) === undefined ? undefined : said.text;
  }

  #nameOf(line: AnyLine | undefined, request: Request, active: ReadonlySet<number>) {
    if (line?.kind === 'service') return line.lookedUp === undefined ? undefined : { line, text: line.lookedUp };
    if (line?.kind === 'boot') {
      const text = line.name ?? line.lookedUp;
      if (text !== undefined) return { line, text };
    }
    const option = this.#option(request, active, ({ name }) => name !== undefined);
    return option?.name === undefined ? undefined : { line: option, text: option.name };
  }

  #active(active: ReadonlySet<number>): readonly AnyLine[] {
    return this.#lines.filter((_, i) => active.has(i));
  }

  #boot({ tags }: Request, active: ReadonlySet<number>): BootLine | undefined {
    const lines = this.#active(active).filter((line): line is BootLine => line.kind === 'boot');
    return (
      lines.findLast(({ needs }) => needs.length > 0 && holds(needs, tags)) ??
      lines.findLast(({ needs }) => needs.length === 0)
    );
  }

  #option(request: Request, active: ReadonlySet<number>, is: (line: BootLine) => boolean): BootLine | undefined {
    const lines = this.#active(active).filter((line): line is BootLine => line.kind === 'option');
    return chosenOption(lines.filter(is), request);
  }

  /**
   * The line whose file is booted. Firmware follows the menu that `pxe-service` makes before the file of the answer; UEFI is
   * shown no menu of one item, and asks for that only where the answer names no file.
   */
  #fileLine(request: Request, active: ReadonlySet<number>): AnyLine | undefined {
    const boot = this.#boot(request, active) ?? this.#option(request, active, ({ file }) => file !== undefined);
    const items = this.#services.filter(
      (line) => active.has(this.#lines.indexOf(line)) && request.tags.has(line.tag) && holds(line.needs, request.tags),
    );
    const files = items.filter(({ file }) => file !== undefined);
    const [service] = files;
    if (service === undefined) return boot;
    if (boot?.file === undefined) return service;
    if (service.arch >= FIRST_UEFI && files.length === 1) return boot;
    if (!this.#isForIpxe(boot)) return service;
    this.overMenus.add(boot);
    return boot;
  }

  /** Whether iPXE alone is meant: the menu would lead it to itself again. */
  #isForIpxe({ needs }: AnyLine): boolean {
    return needs.some(({ text }) =>
      this.#reading.tags
        .asksOf(text)
        .some(({ userClass = [] }) => userClass.some((one) => /[ig]pxe/i.test(String(one)))),
    );
  }
}

function isOwn(server: string, { networks, context }: Reading): boolean {
  const ip = parseIpv4(server);
  if (ip === 0 || networks.some(({ text }) => text.server === server)) return true;
  return [...context.addresses.values()].flat().some((one) => one.ip === ip);
}

function merged(...all: readonly Distribution<Said>[]): Distribution<Said> {
  return {
    placements: all.flatMap(({ placements }) => placements.filter(isToWrite)),
    troubles: all.flatMap(({ troubles }) => troubles),
    bare: all.flatMap(({ bare }) => bare),
    covered: all[0]?.covered ?? [],
  };
}

/** A network names this server by itself. */
function isToWrite({ target, value }: Placement<Said>): boolean {
  if ((target.kind !== 'network' && target.kind !== 'pool') || value.what === 'bootFile' || value.alone) return true;
  return value.text !== OWN && value.text !== target.network.text.server;
}

/** Writes one thing to its target, of which a class may be several; says what is not as it was. */
function write({ target, value }: Placement<Said>, line: AnyLine | undefined, reading: Reading): Written {
  const notes = notesOf(value, line, reading);
  if (value.text === OWN) {
    const key = value.what === 'name' ? 'tftp-server-name' : 'nextServer';
    return {
      paths: [],
      notes: [...notes, reason`${ownersOf(target, reading)}: write this server's address as \`${key}\``],
    };
  }
  const paths = pathsOf(target, reading).map((path) => {
    const text = ownerAt(path, reading);
    if (value.what !== 'name') {
      text[value.what] = value.text;
      return [...path, value.what];
    }
    text.options = { ...text.options, 'tftp-server-name': value.text };
    return [...path, 'options', 'tftp-server-name'];
  });
  return { paths, notes };
}

function notesOf({ what, text }: Said, line: AnyLine | undefined, reading: Reading): readonly Why[] {
  if (line === undefined) return [];
  const notes: Why[] = [];
  if (line.lookedUp !== undefined)
    notes.push(reason`write the address of ${line.lookedUp} as \`nextServer\`: dnsmasq looks it up`);
  if (line.kind !== 'boot' && line.kind !== 'option') return notes;
  const { name } = line;
  if (name === undefined) return notes;
  const isAddress = parseIpv4(name) !== undefined;
  if (line.server !== undefined && line.server !== name)
    notes.push(reason`its server is named by the address ${line.server}, not as ${name}`);
  else if (what === 'nextServer' && isAddress && name === text && !isOwn(name, reading)) {
    notes.push(reason`the server ${name} is in siaddr too, where dnsmasq has its own address`);
  }
  return notes;
}

function ownersOf(target: Placement<Said>['target'], reading: Reading): string {
  return placesInWords(pathsOf(target, reading));
}

/** Nodes that start pxelinux from here get it as their loader, so that they boot an entry of the menu. */
function useLoader(
  placements: readonly Placement<Said>[],
  written: Map<Placement<Said>, Written>,
  lines: readonly AnyLine[],
  reading: Reading,
): void {
  const { site } = reading.draft;
  const files = placements.filter(({ value }) => value.what === 'bootFile');
  const isOurs = ({ target, value }: Placement<Said>) =>
    isPxelinux(value.text) &&
    !placements.some((one) => sameTarget(one.target, target) && one.value.what === 'nextServer');
  const ours = files.filter(isOurs);
  // A file of a network or a class comes before what a loader decides.
  const isByFile = files.some(({ target }) => target.kind !== 'profile');
  for (const placement of ours) {
    const { target } = placement;
    if (target.kind !== 'profile' || isByFile) continue;
    const profile = site.profiles?.[reading.profileOf(target.tag)];
    if (profile === undefined) continue;
    delete profile.bootFile;
    profile.loader = 'pxelinux';
    const paths = pathsOf(target, reading).map((path) => [...path, 'loader']);
    written.set(placement, { paths, notes: written.get(placement)?.notes ?? [] });
  }
  const first = ours.find(({ target }) => target.kind === 'network');
  const setting = first === undefined ? undefined : lines[first.line]?.setting;
  if (setting === undefined || Object.keys(site.nodes ?? {}).length === 0) return;
  const name = reading.profileName('pxelinux', 'boots-pxelinux');
  const text: ProfileText = { loader: 'pxelinux' };
  site.profiles = { [name]: text, ...site.profiles };
  reading.draft.comment(['profiles', name], `${setting.place.file}:${setting.place.line} ${setting.whole}`);
  for (const node of Object.values(site.nodes ?? {})) node.profiles = [name, ...(node.profiles ?? [])];
}

function sameTarget(one: Placement<Said>['target'], other: Placement<Said>['target']): boolean {
  if (one.kind === 'network') return other.kind === 'network' && one.network === other.network;
  if (one.kind === 'pool') return other.kind === 'pool' && one.pool === other.pool;
  if (one.kind === 'profile') return other.kind === 'profile' && one.tag === other.tag;
  return other.kind === 'class' && classKey(one.tags, one.group) === classKey(other.tags, other.group);
}
