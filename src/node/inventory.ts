import { ReveilleError } from '../errors.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import { type Mac, parseMac } from '../model/mac.ts';
import { plainLine } from '../plainText.ts';
import { byNaturalName } from './natural.ts';

/** One network card. `up`: it has a link; `boot` marks the card that the machine booted from. */
export type Nic = {
  readonly name: string;
  readonly mac: Mac;
  readonly boot: boolean;
  readonly up: boolean;
  /** Mbit/s. */
  readonly speed?: number;
  readonly mtu?: number;
  readonly ip?: Ipv4;
  readonly driver?: string;
  /** Its device path in the kernel: `pci0000:00/0000:00:03.0/virtio0`. */
  readonly path?: string;
};

export type Disk = { readonly name: string; readonly bytes: number; readonly model?: string; readonly serial?: string };

/** The agent's report of its machine. NICs and disks are in natural order of their names. */
export type Inventory = {
  readonly arch?: string;
  readonly kernel?: string;
  readonly system: {
    readonly vendor?: string;
    readonly product?: string;
    readonly serial?: string;
    readonly uuid?: string;
    readonly bios?: string;
  };
  readonly cpu: { readonly model?: string; readonly count?: number };
  readonly memoryKib?: number;
  readonly nics: readonly Nic[];
  readonly disks: readonly Disk[];
};

/** The longest inventory that is read, in bytes: some thousand NICs. */
export const LONGEST_INVENTORY = 256 * 1024;

const LONGEST_LINE = 1024;
const LINE = /^([a-z]+)(?:\.(0|[1-9][0-9]{0,3}))?(?:\.([a-z]+))?=(.*)$/;

/**
 * Reads the agent's inventory: UTF-8 lines `key=value`, the value everything up to the end of its line, the first line
 * `reveille.inventory=1`. Unknown keys are skipped. Throws REQUEST_INVALID for anything else.
 */
export function parseInventory(body: Uint8Array): Inventory {
  if (body.length > LONGEST_INVENTORY) throw invalid(`an inventory is at most ${LONGEST_INVENTORY} bytes long`);
  const lines = new TextDecoder().decode(body).split('\n');
  if (lines[0]?.trimEnd() !== 'reveille.inventory=1') throw invalid('an inventory begins with reveille.inventory=1');
  const plain = new Map<string, string>();
  const nics = new Map<number, Map<string, string>>();
  const disks = new Map<number, Map<string, string>>();
  lines.slice(1).forEach((line, index) => {
    if (line === '') return;
    const [, section, number, name, value] = (line.length <= LONGEST_LINE && LINE.exec(line)) || [];
    if (section === undefined || value === undefined) throw invalid(`line ${index + 2} is not a key=value`);
    if (number === undefined) {
      plain.set(name === undefined ? section : `${section}.${name}`, value);
    } else if (name !== undefined && (section === 'nic' || section === 'disk')) {
      const into = section === 'nic' ? nics : disks;
      const item = into.get(Number(number)) ?? new Map<string, string>();
      into.set(Number(number), item.set(name, value));
    }
  });
  const { arch, kernel } = texts(plain, 'arch', 'kernel');
  const memoryKib = wholeNumber(plain.get('memory.kib'));
  const count = wholeNumber(plain.get('cpu.count'));
  return {
    ...(arch === undefined ? {} : { arch }),
    ...(kernel === undefined ? {} : { kernel }),
    system: texts(below(plain, 'system'), 'vendor', 'product', 'serial', 'uuid', 'bios'),
    cpu: { ...texts(below(plain, 'cpu'), 'model'), ...(count === undefined ? {} : { count }) },
    ...(memoryKib === undefined ? {} : { memoryKib }),
    nics: [...nics.values()].map(nicOf).sort(byNaturalName),
    disks: [...disks.values()].map(diskOf).sort(byNaturalName),
  };
}

function nicOf(from: ReadonlyMap<string, string>): Nic {
  const name = interfaceName(from.get('name'));
  const mac = parseMac(from.get('mac') ?? '');
  if (mac === undefined) throw invalid(`the network card ${name} has no MAC address`);
  const ip = parseIpv4(from.get('ip') ?? '');
  const speed = wholeNumber(from.get('speed'));
  const mtu = wholeNumber(from.get('mtu'));
  return {
    name,
    mac,
    boot: from.get('boot') === '1',
    up: from.get('up') === '1',
    ...(speed === undefined ? {} : { speed }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(ip === undefined ? {} : { ip }),
    ...texts(from, 'driver', 'path'),
  };
}

/**
 * Kernel names may contain anything except white space and slashes; templates put them into scripts, so fewer characters are
 * accepted.
 */
function interfaceName(name: string | undefined): string {
  if (name === undefined || !/^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,14}$/.test(name))
    throw invalid('a network card has no usable name');
  return name;
}

function diskOf(from: ReadonlyMap<string, string>): Disk {
  const name = from.get('name') ?? '';
  const bytes = wholeNumber(from.get('bytes'));
  if (!/^[A-Za-z0-9_.!:-]{1,64}$/.test(name) || bytes === undefined) throw invalid('a disk has no usable name or size');
  return { name, bytes, ...texts(from, 'model', 'serial') };
}

/** Those of `keys` that have a value, as one line of text each. */
function texts<K extends string>(from: ReadonlyMap<string, string>, ...keys: readonly K[]): { [P in K]?: string } {
  const found: { [P in K]?: string } = {};
  for (const key of keys) {
    const raw = from.get(key);
    const value = raw === undefined ? undefined : plainLine(raw).trim();
    if (value !== undefined && value !== '') found[key] = value;
  }
  return found;
}

/** The keys that begin with `section.`, without it. */
function below(from: ReadonlyMap<string, string>, section: string): ReadonlyMap<string, string> {
  const keys = [...from].filter(([key]) => key.startsWith(`${section}.`));
  return new Map(keys.map(([key, value]) => [key.slice(section.length + 1), value]));
}

/** `-1`, which some drivers report for an unknown speed, is no number here. */
function wholeNumber(value: string | undefined): number | undefined {
  return value !== undefined && /^[0-9]{1,15}$/.test(value) ? Number(value) : undefined;
}

/** What templates see as `facts`: the inventory with addresses as text. */
export function factsOf(inventory: Inventory): Facts {
  return {
    ...inventory,
    nics: inventory.nics.map(({ ip, ...nic }) => (ip === undefined ? nic : { ...nic, ip: formatIpv4(ip) })),
  };
}

export type Facts = Omit<Inventory, 'nics'> & {
  readonly nics: readonly (Omit<Nic, 'ip'> & { readonly ip?: string })[];
};

function invalid(message: string): ReveilleError {
  return new ReveilleError('REQUEST_INVALID', message);
}
