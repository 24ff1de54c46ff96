import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatIpv4 } from '../../src/model/ipv4.ts';
import { arpReply, readArpRequest, readUdpFrame } from '../rig/frames.ts';
import { clearNetwork, FROM_SERVER, layNetwork, mac, serverMac, sh } from '../rig/network.ts';
import { Random } from '../rig/random.ts';
import { type LoggedEvent, Server } from '../rig/server.ts';
import { Wire } from '../rig/wire.ts';
import { Corpus } from './corpus.ts';
import { DhcpFuzzer, firmwareOf } from './dhcp.ts';
import { type Finding, Findings } from './findings.ts';
import { HttpFuzzer } from './http.ts';
import { type Fuzzer, type Input, PROTOCOLS, type Protocol, shapeOf } from './input.ts';
import { ENDING, INSPECTED, Inspector } from './inspector.ts';
import { Invariants } from './invariants.ts';
import { Novelty } from './novelty.ts';
import { percentile, RealClients, type Seen } from './realClients.ts';
import { canaryIn, NEVER_SHOWN, OF_IMPERSONATED } from './secrets.ts';
import { HTTP_IMPERSONATED, writeFuzzSite } from './site.ts';
import { machineOf, TftpFuzzer } from './tftp.ts';

export type FuzzOptions = {
  readonly seconds: number;
  /** What is sent follows from this number. */
  readonly seed: number;
  readonly protocols: readonly Protocol[];
  /** Where the corpus is kept; absent: only the built-in seeds are mutated, so that the same seed sends the same inputs. */
  readonly corpus?: string;
  /** Where findings go. */
  readonly findings: string;
  /** Looks into the server by its inspector: exact memory, stalls, coverage. */
  readonly inspect: boolean;
  readonly print: (line: string) => void;
};

export type FuzzResult = {
  readonly findings: Findings;
  readonly inputs: ReadonlyMap<Protocol, number>;
  readonly clients: ReadonlyMap<string, Seen>;
};

const TOOLS = ['udhcpc', 'curl', 'tftp', 'timeout'];
/** The real clients are alone with the server for so long, and after the last input they go on. */
const MOST_REST_MS = 4000;
const AFTER_MS = 2000;
const SAMPLE_MS = 4000;
const REPORT_MS = 10_000;

/** Runs the fuzzers against the real program for some seconds. Only in a namespace made by `test/isolated`, and once in it. */
export function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  return withRig(options, async (rig) => {
    const stop = AbortSignal.timeout(options.seconds * 1000);
    const random = new Random(options.seed);
    // Each protocol draws from a generator of its own, whichever of them run.
    const randoms = new Map(PROTOCOLS.map((protocol) => [protocol, random.fork()]));
    await Promise.all(
      options.protocols.flatMap((protocol) => {
        const own = randoms.get(protocol) as Random;
        const fuzzer = rig.fuzzers.get(protocol) as Fuzzer<Input>;
        return Array.from({ length: fuzzer.lanes }, (_, lane) => fuzzLane(rig, fuzzer, lane, own.fork(), stop));
      }),
    );
  });
}

/** Sends again what a finding's file has: the one input that did it, or all the last ones in their order and at their pace. */
export function replay(file: string, options: FuzzOptions): Promise<FuzzResult> {
  const finding = JSON.parse(readFileSync(file, 'utf8')) as Finding;
  const all = finding.input ? [{ at: 0, input: finding.input }] : finding.recent;
  options.print(`${finding.what}: ${finding.detail.slice(0, 300)}\nplaying ${all.length} inputs`);
  return withRig(options, async (rig) => {
    const random = new Random(finding.seed);
    const since = performance.now();
    const first = all[0]?.at ?? 0;
    const running: Promise<void>[] = [];
    for (const { at, input } of all) {
      const wait = at - first - (performance.now() - since);
      if (wait > 1) await sleep(wait);
      running.push(rig.send(rig.fuzzers.get(input.protocol) as Fuzzer<Input>, input, random));
    }
    await Promise.all(running);
  });
}

type Rig = {
  readonly fuzzers: ReadonlyMap<Protocol, Fuzzer<Input>>;
  readonly novelty: Novelty;
  send(fuzzer: Fuzzer<Input>, input: Input, random: Random): Promise<void>;
};

/** The seeds as they are, dealt out to the lanes, and then mutations without end. */
async function fuzzLane(
  rig: Rig,
  fuzzer: Fuzzer<Input>,
  lane: number,
  random: Random,
  stop: AbortSignal,
): Promise<void> {
  for (let i = lane; i < fuzzer.seeds.length && !stop.aborted; i += fuzzer.lanes)
    await rig.send(fuzzer, fuzzer.seeds[i] as Input, random);
  const corpus = rig.novelty.corpusOf(fuzzer.protocol);
  while (!stop.aborted) await rig.send(fuzzer, fuzzer.mutate(corpus.pick(random), corpus.pick(random), random), random);
}

async function withRig(options: FuzzOptions, use: (rig: Rig) => Promise<void>): Promise<FuzzResult> {
  const { print, seed } = options;
  layNetwork(TOOLS);
  sh('ip -n server addr add 192.168.7.2/24 dev br0');
  sh(HTTP_IMPERSONATED.map(({ ip }) => `ip addr add ${ip}/12 dev rack`).join('\n'));
  const folder = mkdtempSync(join(tmpdir(), 'reveille-fuzz-'));
  const written = await writeFuzzSite(folder);
  const findings = new Findings(options.findings, seed);
  const inputs = new Map<Protocol, number>(PROTOCOLS.map((protocol) => [protocol, 0]));
  let novelty: Novelty | undefined;
  let busy = false;
  let inspector: Inspector | undefined;
  const onEvent = (event: LoggedEvent): void => {
    if (event.line === ENDING) inspector?.close();
    invariants.hear(event);
    if (busy)
      novelty?.heard(
        protocolOf(event.kind),
        `event ${event.kind} ${shapeOf(String(event.code ?? event.reason ?? event.step ?? ''))}`,
      );
  };
  const server = new Server({
    site: written.site,
    state: written.state,
    log: join(folder, 'serve.log'),
    env: options.inspect ? INSPECTED : {},
    onEvent,
    onExit: (how) => {
      if (busy) findings.report('the server ended', how);
    },
    restartAfterMs: 2000,
  });
  const invariants = new Invariants(server, written.state, findings);
  await server.start();
  inspector = options.inspect ? await Inspector.attach() : undefined;

  const macs = { rack: serverMac(), guests: mac(sh('ip netns exec server cat /sys/class/net/br1/address').trim()) };
  const wires = {
    rack: new Wire('rack'),
    guests: new Wire('guests'),
    fromRack: new Wire(FROM_SERVER.rack, (frame) => onFrame(frame)),
    fromGuests: new Wire(FROM_SERVER.guests, (frame) => onFrame(frame)),
  };
  const heard = (key: string, input?: Input): void => novelty?.heard(key.split(' ', 1)[0] as Protocol, key, input);
  const dhcp = new DhcpFuzzer(wires, macs, heard);
  const tftp = new TftpFuzzer(wires.rack, macs.rack, written.image, heard);
  const http = new HttpFuzzer(
    join(written.state, 'reveille.sock'),
    written.image,
    heard,
    (canary, input) => findings.report(`${canary.name} is in an answer`, `to ${input.from} over HTTP`, input),
    (text) => dhcp.play(firmwareOf(mac(text))),
  );
  const onFrame = (frame: Buffer): void => {
    const arp = readArpRequest(frame);
    if (arp && TftpFuzzer.answersArp(arp.target)) wires.rack.send(arpReply(arp, machineOf(arp.target)));
    const datagram = readUdpFrame(frame);
    if (!datagram) return;
    dhcp.hear(datagram);
    tftp.hear(datagram);
    const leak = canaryIn(datagram.payload, [...NEVER_SHOWN, OF_IMPERSONATED]);
    if (leak)
      findings.report(`${leak.name} is in a datagram`, `to ${formatIpv4(datagram.to)} from port ${datagram.fromPort}`);
  };
  const fuzzers = new Map<Protocol, Fuzzer<Input>>();
  for (const fuzzer of [dhcp, tftp, http]) fuzzers.set(fuzzer.protocol, fuzzer as unknown as Fuzzer<Input>);
  novelty = new Novelty(
    new Map(
      PROTOCOLS.map((protocol) => [
        protocol,
        new Corpus((fuzzers.get(protocol) as Fuzzer<Input>).seeds, options.corpus && join(options.corpus, protocol)),
      ]),
    ),
  );
  const theNovelty = novelty;

  const realClients = new RealClients(written, folder, (client, words) =>
    findings.report(`${client} got a wrong answer`, words),
  );
  realClients.start();
  await sleep(Math.min(MOST_REST_MS, options.seconds * 300));
  await realClients.stop();
  const atRest = new Map(realClients.seen);
  realClients.seen.clear();
  realClients.start();
  await inspector?.look();

  busy = true;
  const since = performance.now();
  const line = (): string => {
    const sent = PROTOCOLS.map(
      (protocol) => `${protocol} ${inputs.get(protocol)} (corpus ${theNovelty.corpusOf(protocol).size})`,
    );
    const gauges = server.gauges();
    const late = percentile(
      [...realClients.seen.values()].flatMap(({ times }) => times),
      0.99,
    );
    return `${Math.round((performance.now() - since) / 1000)} s  ${sent.join('  ')}  kinds ${theNovelty.size}  ${gauges ? `${Math.round(gauges.rssMb)} MB, ${gauges.descriptors} descriptors` : 'DOWN'}, stall ${Math.round(invariants.stallMs)} ms, clients' p99 ${Math.round(late)} ms`;
  };
  let looking = Promise.resolve();
  const look = async (): Promise<void> => {
    for (const place of await realClients.untimed(() => invariants.sample(inspector)))
      theNovelty.heard(roomProtocol(place), `code ${place}`);
    // A server that was started anew is looked into anew.
    if (options.inspect && server.ups > 0 && server.gauges() && inspector?.isGone)
      inspector = await Inspector.attach().catch(() => undefined);
  };
  const sampling = setInterval(() => {
    looking = looking.then(look);
  }, SAMPLE_MS);
  const reporting = setInterval(() => print(line()), REPORT_MS);
  try {
    await use({
      fuzzers,
      novelty: theNovelty,
      async send(fuzzer, input, random) {
        inputs.set(fuzzer.protocol, (inputs.get(fuzzer.protocol) ?? 0) + 1);
        findings.played(input);
        theNovelty.sent(input);
        await fuzzer.play(input as never, random);
      },
    });
    await sleep(AFTER_MS);
  } finally {
    clearInterval(sampling);
    clearInterval(reporting);
    print(line());
  }
  await looking;
  await invariants.sample(inspector);
  await realClients.stop();
  busy = false;
  invariants.finish(realClients.seen, atRest);
  printTable(print, realClients.seen, atRest);
  for (const fuzzer of fuzzers.values()) fuzzer.close();
  for (const wire of Object.values(wires)) wire.close();
  inspector?.close();
  realClients.close();
  await server.stop();
  clearNetwork();
  if (findings.kinds.size === 0) rmSync(folder, { recursive: true });
  else print(`site, state and log are in ${folder}`);
  return { findings, inputs, clients: realClients.seen };
}

function printTable(
  print: (line: string) => void,
  seen: ReadonlyMap<string, Seen>,
  atRest: ReadonlyMap<string, Seen>,
): void {
  print(
    `${'client'.padEnd(20)}${'answers'.padStart(9)}${'wrong'.padStart(7)}${'p50 ms'.padStart(9)}${'p99 ms'.padStart(9)}${'at rest'.padStart(9)}`,
  );
  for (const [client, { times, wrong }] of [...seen].sort()) {
    const numbers = [percentile(times, 0.5), percentile(times, 0.99), percentile(atRest.get(client)?.times ?? [], 0.5)];
    print(
      `${client.padEnd(20)}${String(times.length).padStart(9)}${String(wrong).padStart(7)}${numbers.map((n) => String(Math.round(n)).padStart(9)).join('')}`,
    );
  }
}

/** Whose doing an event is; `undefined` where it may be anybody's. */
function protocolOf(kind: string): Protocol | undefined {
  if (kind.startsWith('node.')) return 'http';
  return PROTOCOLS.find((protocol) => kind.startsWith(`${protocol}.`));
}

function roomProtocol(place: string): Protocol | undefined {
  if (/^(http|node|roll)\//.test(place)) return 'http';
  return PROTOCOLS.find((protocol) => place.startsWith(`${protocol}/`));
}
