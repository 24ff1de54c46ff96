import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { BootAnswer } from '../boot/client.ts';
import { CONFIGURATIONS } from '../boot/configurations.ts';
import { decideBoot } from '../boot/decide.ts';
import { menuNode } from '../boot/menuNode.ts';
import { type Configuration, configurationOf, loaderNamed } from '../boot/methods.ts';
import { type Rehearsal, rehearse } from '../dhcp/rehearse.ts';
import { openShelf } from '../image/shelf.ts';
import type { BootReason, Layer } from '../model/bootReason.ts';
import { formatIpv4, formatSubnet, type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import type { Lease } from '../model/lease.ts';
import { type Mac, parseMac } from '../model/mac.ts';
import { OPTIONS } from '../model/options.ts';
import type { PoolVerdict } from '../model/pools.ts';
import type { RefusalCode } from '../model/refusal.ts';
import { interfaceAddresses } from '../net/interfaces.ts';
import { imageOf } from '../roll/pins.ts';
import { namesOneNode } from '../site/nodeSet.ts';
import { rangeWords } from '../site/pools.ts';
import { type InterfaceAddresses, withServers } from '../site/servers.ts';
import type { Site } from '../site/site.ts';
import type { Store } from '../state/store.ts';
import { bootReasonWords } from '../words/boot.ts';
import { poolWords, refusalWords } from '../words/dhcp.ts';
import {
  type ExplainedFiles,
  explainFiles,
  fileContent,
  filesJson,
  filesText,
  type KnownOfNode,
  knownOfNodes,
} from './explainFiles.ts';
import { jsonOption, nodesArgument, siteOption, stateOption } from './options.ts';
import { jsonText } from './print.ts';
import { nodesOf, siteIn } from './site.ts';
import { askState } from './state.ts';
import { table } from './table.ts';

type Flags = {
  readonly site: string;
  readonly state: string;
  readonly arch?: number;
  readonly ipxe: boolean;
  readonly vendorClass?: string;
  readonly userClass?: string;
  readonly circuitId?: string;
  readonly relay?: Ipv4;
  readonly server?: Ipv4;
  readonly files: boolean;
  readonly file?: string;
  readonly json: boolean;
};

/** `reveille explain NODE|MAC`: what its firmware would be answered and why. Sends nothing, changes nothing. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('say what a machine would be answered and why, sending nothing')
    .addArgument(nodesArgument({ required: true, more: '; a MAC that the site does not list is a stranger' }))
    .addOption(siteOption())
    .addOption(stateOption())
    .addOption(
      new Option(
        '--arch <number>',
        'firmware architecture of option 93: 0 BIOS, 7 x64 UEFI; default: that of --vendor-class, else 0',
      ).argParser(architecture),
    )
    .addOption(new Option('--ipxe', 'as if iPXE with HTTP were asking').default(false))
    .addOption(new Option('--vendor-class <text>', 'what it says in option 60: "MSFT 5.0", PXEClient:Arch:00007'))
    .addOption(new Option('--user-class <text>', 'what it says in option 77'))
    .addOption(new Option('--circuit-id <text>', 'what a relay or switch says of its port in option 82'))
    .addOption(
      new Option(
        '--relay <address>',
        'through which relay it asks (giaddr); default: none, or one of its network',
      ).argParser(address),
    )
    .addOption(
      new Option('--server <address>', "the server's address, where this machine is not the server").argParser(address),
    )
    .addOption(new Option('--files', 'list the files that it gets, and who gives each').default(false))
    .addOption(
      new Option('--file <path>', 'print one of these files as it would be written; private keys are left out'),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample:\n  reveille explain node01\n  reveille explain 52:54:00:00:00:51 --arch 7 --ipxe\n  reveille explain node01 --files\n  reveille explain node01 --file /etc/nova/nova.conf',
    )
    .action(async (who: string, flags: Flags) => {
      const here = interfaceAddresses();
      const site = withServers(servedFrom(flags.server, await siteIn(flags.site)), here);
      if (flags.files || flags.file !== undefined) return tellFiles(site, who, flags);
      const stranger = parseMac(who);
      const macs = stranger ? [stranger] : nodesOf(site, who).map((node) => node.macs[0]);
      const names = macs.map((mac) => site.nodeByMac.get(mac)?.name).filter((name) => name !== undefined);
      const known = await askState(flags.state, (store) => remembered(store, names), {
        leases: [],
        machineIds: new Map(),
        pins: new Map(),
      });
      const explained = await Promise.all(macs.map((mac) => explain(mac, site, here, known, flags)));
      if (flags.json) console.log(jsonText(namesOneNode(who) ? explained[0] : explained));
      else console.log(explained.map(words).join('\n\n'));
    });
}

/** Which files nodes get, or what stands in one of them. */
async function tellFiles(site: Site, who: string, { state, file, json }: Flags): Promise<void> {
  const nodes = nodesOf(site, who);
  const known = await askState(state, (store) => knownOfNodes(store, nodes), new Map<string, KnownOfNode>());
  const explained: ExplainedFiles[] = [];
  for (const node of nodes) explained.push(await explainFiles(site, node, known.get(node.name)));
  if (file !== undefined) for (const one of explained) process.stdout.write(fileContent(one, file));
  else if (json) console.log(jsonText(namesOneNode(who) ? explained.map(filesJson)[0] : explained.map(filesJson)));
  else console.log(explained.map(filesText).join('\n\n'));
}

/** The site as its server would know it that has this address in networks that name none. */
function servedFrom(server: Ipv4 | undefined, site: Site): Site {
  if (server === undefined) return site;
  const networks = [...site.networks].map(([name, network]) => [name, { server, ...network }] as const);
  return { ...site, networks: new Map(networks) };
}

async function explain(
  mac: Mac,
  site: Site,
  here: InterfaceAddresses,
  known: Remembered,
  { arch, state, server: _, ...says }: Flags,
): Promise<Explained> {
  const architecture = arch ?? Number(FIRMWARE.exec(says.vendorClass ?? '')?.[1] ?? 0);
  const rehearsal = rehearse(
    { mac, architecture, ...says },
    site,
    known.leases,
    (client, node, network) => decideBoot(client, node, { ip: network.server, httpPort: site.http.port }),
    Date.now(),
  );
  const explained = await explanationOf(rehearsal, site, mac, known, state);
  return explained.answer === 'silence'
    ? { ...explained, reason: whyNotFromHere(mac, site, here) ?? explained.reason }
    : explained;
}

/** What firmware says in option 60 (RFC 4578; UEFI for HTTP): the number of its architecture is in it. */
const FIRMWARE = /^(?:PXE|HTTP)Client:Arch:([0-9]{1,5})(?::|$)/;

/** Where this machine cannot answer the network of the machine: that, and what to do. */
function whyNotFromHere(mac: Mac, site: Site, here: InterfaceAddresses): string | undefined {
  const own = site.networks.get(site.nodeByMac.get(mac)?.network ?? '');
  const networks = own ? [own] : [...site.networks.values()];
  const [network] = networks;
  if (!network || networks.some(({ server }) => server !== undefined)) return undefined;
  const { name, interface: through, subnet } = network;
  const missing = through === undefined ? undefined : !here.has(through);
  const what =
    missing === undefined
      ? `this machine has no address that relays of network ${name} could send to`
      : missing
        ? `the interface ${through} of network ${name} is not on this machine, which has ${[...here.keys()].join(', ')}`
        : `${through} has no address in ${formatSubnet(subnet)} on this machine`;
  return `${what}; run it on the server, or say the server's address: --server ADDRESS`;
}

/** What the state knows that an answer depends on: who has which address, and the nodes' machine-ids. */
type Remembered = {
  readonly leases: readonly Lease[];
  readonly machineIds: ReadonlyMap<string, string>;
  readonly pins: ReadonlyMap<string, string>;
};

async function remembered(store: Store, names: readonly string[]): Promise<Remembered> {
  const leases = await store.leases.load();
  const machineIds = new Map<string, string>();
  for (const name of names) {
    const machineId = (await store.identities.read(name)).get('machine-id');
    if (machineId !== undefined) machineIds.set(name, machineId);
  }
  return { leases, machineIds, pins: await store.rolls.pins() };
}

type Explained = {
  readonly mac: Mac;
  readonly node: string | null;
  readonly classes: readonly string[];
  /** The pools of its wire, and why each is open to it or closed. */
  readonly pools: readonly {
    network: string;
    range: string;
    open: boolean;
    code: PoolVerdict['code'];
    why: string;
  }[];
  readonly answer: string;
  /** Why there is no offer. */
  readonly code: RefusalCode | null;
  readonly reason: string | null;
  readonly network: string | null;
  readonly ip: string | null;
  readonly bootFile: string | null;
  /** Why it boots that, or nothing: a code and the values that belong to it. */
  readonly bootReason: ReturnType<typeof reasonJson> | null;
  readonly options: Readonly<Record<string, string>>;
  /** Options that do not fit what it takes. */
  readonly leftOut: readonly string[];
  /** What the loader would be given to read. */
  readonly script: string | null;
};

async function explanationOf(
  rehearsal: Rehearsal,
  site: Site,
  mac: Mac,
  { machineIds, pins }: Remembered,
  state: string,
): Promise<Explained> {
  const { exchange, plan, left } = rehearsal;
  const boot = 'boot' in plan ? plan.boot : undefined;
  const reply = 'reply' in plan ? plan.reply.packet : undefined;
  const node = site.nodeByMac.get(mac);
  const bootFile = boot?.kind === 'boot' ? boot.bootFile : null;
  return {
    mac,
    node: node?.name ?? null,
    classes: exchange.classes.map(({ name }) => name),
    pools: rehearsal.pools.map(({ network, pool, verdict }) => ({
      network,
      range: rangeWords(pool.range),
      open: verdict.open,
      code: verdict.code,
      why: poolWords(verdict),
    })),
    answer: plan.kind,
    code: 'refusal' in plan ? plan.refusal.code : null,
    reason: boot ? bootReasonWords(boot.reason) : 'refusal' in plan ? refusalWords(plan.refusal) : null,
    network: 'network' in plan ? plan.network.name : null,
    ip: plan.kind === 'offer' ? formatIpv4(plan.ip) : null,
    bootFile,
    bootReason: boot ? reasonJson(boot.reason) : null,
    options: Object.fromEntries(
      [...(reply?.options ?? [])].flatMap(([code, bytes]) =>
        left.includes(code) ? [] : [[optionName(code), optionText(code, bytes)]],
      ),
    ),
    leftOut: left.map(optionName),
    script: await scriptFor(),
  };

  async function scriptFor(): Promise<string | null> {
    if (plan.kind !== 'offer' || boot?.kind !== 'boot') return null;
    const by = configurationRead(boot, reply?.siaddr === plan.network.server);
    if (by === undefined) return null;
    const machineIdOf = async (name: string) => machineIds.get(name);
    const shelf = openShelf(join(state, 'images'));
    const asking = await menuNode({ imageOf: imageOf(shelf, (name) => pins.get(name)), machineIdOf }, node, mac);
    const server = { ip: plan.network.server, httpPort: site.http.port };
    return asking ? CONFIGURATIONS[by](site.name, site.menu, server, asking) : null;
  }
}

/** A reason with its addresses as text. */
function reasonJson(reason: BootReason) {
  if (reason.code !== 'operator') return reason;
  const { bootFile, nextServer } = reason;
  return {
    code: reason.code,
    bootFile: layerJson(bootFile),
    ...(nextServer === undefined ? {} : { nextServer: layerJson(nextServer) }),
  };
}

function layerJson(layer: Layer) {
  return layer.of === 'pool' ? { of: layer.of, first: formatIpv4(layer.first) } : layer;
}

/**
 * The configuration that a client reads which boots this. What the operator's own boot file reads is not ours to say, unless it is a
 * loader that comes from here and reads what is made here.
 */
function configurationRead(boot: BootAnswer & { kind: 'boot' }, fromHere: boolean): Configuration | undefined {
  if ('method' in boot) return configurationOf(boot.method);
  const next = fromHere ? loaderNamed(boot.bootFile)?.next : undefined;
  return next && 'configuration' in next ? next.configuration : undefined;
}

function words(explained: Explained): string {
  const rows = [
    ['machine', `${explained.mac}${explained.node === null ? ', a stranger' : `, ${explained.node}`}`],
    ['answer', explained.ip === null ? `none: ${explained.reason}` : `${explained.ip} in ${explained.network}`],
    ...(explained.ip === null
      ? []
      : [
          ['boots', explained.bootFile ?? 'nothing'],
          ['because', explained.reason ?? ''],
        ]),
    ...(explained.classes.length === 0 ? [] : [['classes', explained.classes.join(', ')]]),
    ...explained.pools.map(({ network, range, why }) => ['pool', `${range} in ${network}: ${why}`]),
    ...Object.entries(explained.options),
    ...(explained.leftOut.length === 0
      ? []
      : [['left out', `${explained.leftOut.join(', ')}: more than the client takes`]]),
  ];
  const script =
    explained.script === null
      ? []
      : ['', 'and then reads:', '', ...explained.script.split('\n').map((line) => `  ${line}`)];
  return [table(rows), ...script].join('\n').trimEnd();
}

function optionName(code: number): string {
  const known = OPTIONS.find((option) => option.code === code);
  return `option ${code}${known?.names[0] === undefined ? '' : ` ${known.names[0]}`}`;
}

/** As the option's kind shows it; in hexadecimal where the bytes are of no kind that is known. */
function optionText(code: number, bytes: Uint8Array): string {
  const kind = OPTIONS.find((option) => option.code === code)?.kind;
  const value = kind?.decode(bytes);
  return kind && value !== undefined ? kind.show(value) : Buffer.from(bytes).toString('hex');
}

function address(text: string): Ipv4 {
  const ip = parseIpv4(text);
  if (ip === undefined) throw new InvalidArgumentError('it is an IPv4 address');
  return ip;
}

function architecture(text: string): number {
  const value = Number(text);
  if (/^[0-9]+$/.test(text) && value <= 0xffff) return value;
  throw new InvalidArgumentError('it is a number from 0 to 65535: 0 BIOS, 7 x64 UEFI, 16 x64 UEFI over HTTP');
}
