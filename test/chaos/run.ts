import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from '../fuzz/realClients.ts';
import { clearNetwork, FROM_SERVER, ip, layNetwork, sh } from '../rig/network.ts';
import { Random } from '../rig/random.ts';
import { type LoggedEvent, Server } from '../rig/server.ts';
import { Capture } from './capture.ts';
import { Disk } from './disk.ts';
import { DISTURBANCES } from './disturbances/all.ts';
import { Ledger, leasesIn } from './ledger.ts';
import { LOAD_IP, Load } from './load.ts';
import { Pace } from './pace.ts';
import { Prober, SERVICES } from './prober.ts';
import { type Disturbance, database, type Stage, untilDown } from './stage.ts';

export type ChaosOptions = {
  readonly rounds: number;
  readonly seed: number;
  /** Kinds of disturbance, as `DISTURBANCES` names them. */
  readonly kinds: readonly string[];
  /** perfdhcp's exchanges a second. */
  readonly rate: number;
  /** Where the evidence of failed rounds is kept. */
  readonly evidence: string;
  readonly print: (line: string) => void;
};

export type Round = {
  readonly number: number;
  readonly disturbance: string;
  /** From the disturbance's end until everything had answered rightly, milliseconds; absent: it did not. */
  readonly backMs?: number;
  /** Leases whose records the disturbance destroyed. */
  readonly voided: number;
  readonly failures: readonly string[];
};

const TOOLS = ['perfdhcp', 'prlimit', 'mkfs.ext4', 'e2fsck'];
const RESERVED = new Map([1, 2, 3, 4].map((n) => [`52:54:00:00:00:5${n}`, ip(`10.0.0.5${n}`)]));
const HELLO = { name: 'hello.txt', content: 'hello from the shelf\n' };
const SITE = `site: chaos
networks:
  rack:
    interface: br0
    subnet: 10.0.0.0/12
    server: 10.0.0.2
    gateway: 10.0.0.1
    lease: 4h
    pools: [{ range: 10.1.0.0-10.9.255.255, allow: any }]
dhcp: { probe: off, strangersPerSecond: 10000 }
tftp: { root: tftp }
nodes:
${[1, 2, 3, 4].map((n) => `  node0${n}: { mac: 52:54:00:00:00:5${n}, ip: 10.0.0.5${n} }\n`).join('')}`;

/** systemd's RestartSec. */
const RESTART_MS = 2000;
/** How long it is waited for what is late. */
const PATIENCE_MS = 40_000;
/** While a disturbance lasts, what must go on is answered at least this often; its first moments do not count. */
const GAP_MS = 2500;
const SETTLE_MS = 700;

/** Runs the rounds. Only in a namespace made by `test/isolated`, and once in it. */
export async function chaos(options: ChaosOptions): Promise<readonly Round[]> {
  const { print, seed } = options;
  layNetwork(TOOLS);
  sh(`ip addr add ${LOAD_IP}/12 dev rack`);
  const folder = mkdtempSync(join(tmpdir(), 'reveille-chaos-'));
  const site = join(folder, 'site');
  mkdirSync(join(site, 'tftp'), { recursive: true });
  writeFileSync(join(site, 'site.yaml'), SITE);
  writeFileSync(join(site, 'tftp', HELLO.name), HELLO.content);
  const random = new Random(seed);
  const blockSize = random.pick([1024, 4096]);
  const disk = new Disk(folder, blockSize);
  const clock = join(folder, 'clock');
  writeFileSync(clock, '+0\n');
  const log = join(folder, 'serve.log');
  const faults: string[] = [];
  let ends = 0;
  const server = new Server({
    site,
    state: disk.state,
    log,
    env: fakeClock(clock),
    restartAfterMs: RESTART_MS,
    onExit: (_how, wanted) => {
      if (!wanted) ends++;
    },
    onEvent: (event: LoggedEvent) => {
      if (event.kind === 'server.fault' || event.code === 'SERVER_FAILED')
        faults.push(JSON.stringify(event).slice(0, 800));
    },
  });
  const pace = await Pace.measure(server, site);
  print(
    `the server starts in ${Math.round(pace.startMs)} ms; service is to be back within ${(pace.limitMs / 1000).toFixed(1)} s; state on ${disk.kind} with blocks of ${blockSize} bytes`,
  );

  const ledger = new Ledger(RESERVED);
  const prober = new Prober(RESERVED, HELLO);
  const rounds: Round[] = [];
  try {
    for (let number = 1; number <= options.rounds; number++) {
      const own = random.fork();
      const disturbance = choose(options.kinds, number, own, disk.kind === 'ext4');
      await pace.refresh();
      faults.length = 0;
      ends = 0;
      const round = await playRound({
        number,
        disturbance,
        server,
        disk,
        site,
        clock,
        random: own,
        ledger,
        prober,
        folder,
        pace,
        upMs: pace.limitMs,
        rate: options.rate,
      });
      const failures = [...round.failures, ...faults.map((fault) => `FAULT ${fault}`)];
      if (ends > 0 && !disturbance.ends) failures.push(`ENDED: the server's process ended ${ends} times`);
      rounds.push({ ...round, failures });
      print(lineOf({ ...round, failures }, ledger));
      if (failures.length > 0) keepEvidence(options.evidence, { ...round, failures }, folder, disk, seed);
      rmSync(captureOf(folder, number), { force: true });
      prober.forget(Date.now());
      if (round.backMs === undefined && !(await revive(server))) {
        print('the server does not come up any more');
        break;
      }
    }
  } finally {
    prober.close();
    await server.stop();
    disk.close();
    clearNetwork();
  }
  summary(rounds, print);
  rmSync(folder, { recursive: true, force: true });
  return rounds;
}

type Playing = Omit<Stage, 'begun' | 'over'> & {
  readonly number: number;
  readonly disturbance: Disturbance;
  readonly ledger: Ledger;
  readonly prober: Prober;
  readonly folder: string;
  readonly pace: Pace;
  readonly rate: number;
};

async function playRound(playing: Playing): Promise<Round> {
  const { number, disturbance, server, disk, ledger, prober, folder, pace, rate } = playing;
  const failures: string[] = [];
  const backup = join(folder, 'backup.db');
  if (disturbance.destroys) copyDatabase(database({ disk }), backup);
  const capture = await Capture.start(FROM_SERVER.rack, captureOf(folder, number), (captured) => ledger.see(captured));
  const load = new Load(rate, number);
  const before = await backAfter(ledger, prober, Date.now(), PATIENCE_MS);
  if (before.ms === undefined) failures.push(`NOT SERVED before the disturbance: ${before.words}`);
  await sleep(500);

  let begun = Date.now();
  let over = begun;
  let voided = 0;
  await disturbance.run({
    ...playing,
    begun: () => {
      begun = Date.now();
    },
    over: () => {
      over = Date.now();
      // Of what was destroyed while the server was down, nothing can be brought back.
      if (disturbance.destroys && disturbance.ends) voided += ledger.void();
    },
  });
  failures.push(...(await gaps(disturbance, prober, begun, over, pace)));
  let back = await backAfter(ledger, prober, over, disturbance.destroys ? pace.limitMs : PATIENCE_MS);
  if (disturbance.destroys && back.ms === undefined) back = await backAfter(ledger, prober, over, await slower(pace));
  /** An operator brings a copy of the database back. */
  const repair = async (loaded: boolean): Promise<void> => {
    await server.stop('SIGKILL');
    for (const suffix of ['-wal', '-shm']) rmSync(database({ disk }) + suffix, { force: true });
    // The operator vouches for the copy's leases.
    rmSync(join(disk.state, 'reveille.open'), { force: true });
    copyFileSync(backup, database({ disk }));
    voided += ledger.void();
    over = Date.now();
    await server.start().catch(() => {});
    if (loaded) back = await backAfter(ledger, prober, over, PATIENCE_MS);
  };
  if (disturbance.destroys && back.ms === undefined) {
    if (back.missing.some((service) => service !== 'pool')) failures.push(`NOT BACK by itself: ${back.words}`);
    await repair(true);
  }
  if (back.ms === undefined) failures.push(`NOT BACK within ${PATIENCE_MS / 1000} s: ${back.words}`);
  else if (back.ms > pace.limitMs && back.ms > (await slower(pace))) failures.push(`LATE: ${back.words}`);
  await sleep(500);
  await load.stop();
  await sleep(SETTLE_MS);
  await capture.stop();

  failures.push(...ledger.takeWrong(), ...prober.takeWrong());
  if (disturbance.destroys && !isWhole(database({ disk }))) await repair(false);
  const lost = ledger.lost(leasesIn(database({ disk })), Date.now());
  // Records that were destroyed by hand cannot be asked for, but what was acknowledged later has to be there.
  failures.push(...lost.filter(({ at }) => !disturbance.destroys || at > over).map(({ words }) => words));
  if (lost.length > 0) voided += ledger.void();
  return { number, disturbance: disturbance.name, ...(back.ms !== undefined && { backMs: back.ms }), voided, failures };
}

type Back = { readonly ms: number | undefined; readonly missing: readonly string[]; readonly words: string };

/** How long after `since` everything had answered, or what had not within the patience. */
async function backAfter(ledger: Ledger, prober: Prober, since: number, patienceMs: number): Promise<Back> {
  let pool: number | undefined;
  void ledger.poolAckAfter(since).then((at) => {
    pool = at;
  });
  for (;;) {
    const firsts = [
      ...SERVICES.map((service) => [service, prober.firstAfter(service, since)] as const),
      ['pool', pool] as const,
    ];
    const missing = firsts.filter(([, at]) => at === undefined).map(([service]) => service);
    if (missing.length === 0 || Date.now() - since > patienceMs) {
      const words = firsts.map(
        ([name, at]) => `${name} ${at === undefined ? 'never' : `${((at - since) / 1000).toFixed(1)} s`}`,
      );
      const ms = missing.length > 0 ? undefined : Math.max(...firsts.map(([, at]) => at ?? 0)) - since;
      return { ms, missing, words: words.join(', ') };
    }
    await sleep(20);
  }
}

/** What was to go on while it lasted and did not. */
async function gaps(
  { served }: Disturbance,
  prober: Prober,
  begun: number,
  over: number,
  pace: Pace,
): Promise<string[]> {
  const services = served === 'nothing' ? [] : served === 'reserved' ? (['reserved'] as const) : SERVICES;
  const found = services.map((service) => ({ service, gap: prober.longestGap(service, begun, over) }));
  if (found.some(({ gap }) => gap > GAP_MS)) await pace.refresh();
  return found.flatMap(({ service, gap }) => {
    return gap > GAP_MS * pace.slowness
      ? [`SILENT: ${service} was not answered for ${(gap / 1000).toFixed(1)} s meanwhile`]
      : [];
  });
}

/** Each kind once, in an order of chance, before any comes a second time. */
function choose(kinds: readonly string[], number: number, random: Random, isRoot: boolean): Disturbance {
  const kind = kinds[(number - 1) % kinds.length] ?? '';
  const possible = (DISTURBANCES[kind] ?? []).filter(({ needsRoot }) => !needsRoot || isRoot);
  return random.pick(possible);
}

/** The limit as the machine is now, if it has become slower since the round began. */
async function slower(pace: Pace): Promise<number> {
  const before = pace.limitMs;
  await pace.refresh();
  return Math.max(before, pace.limitMs);
}

async function revive(server: Server): Promise<boolean> {
  await server.stop('SIGKILL');
  await untilDown(server);
  return server.start().then(
    () => true,
    () => false,
  );
}

/** The program's clock alone: libfaketime reads the offset from a file once a second. */
function fakeClock(file: string): Record<string, string> {
  const library = readdirSync('/usr/lib')
    .map((name) => `/usr/lib/${name}/faketime/libfaketimeMT.so.1`)
    .find((path) => sh(`test -e ${path} && echo yes || true`) !== '');
  if (!library) throw new Error('libfaketime is missing');
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

/** A copy as a backup makes one: with what stands in the WAL. */
function copyDatabase(from: string, to: string): void {
  rmSync(to, { force: true });
  const db = new DatabaseSync(from, { timeout: 5000 });
  db.exec(`vacuum into '${to}'`);
  db.close();
}

/** Whether SQLite finds nothing wrong with a database. */
function isWhole(file: string): boolean {
  try {
    const db = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
    try {
      return db.prepare('pragma integrity_check').get()?.integrity_check === 'ok' && leasesIn(file).length >= 0;
    } finally {
      db.close();
    }
  } catch {
    return false;
  }
}

const captureOf = (folder: string, number: number): string => join(folder, `round-${number}.pcap`);

function keepEvidence(into: string, round: Round, folder: string, disk: Disk, seed: number): void {
  const at = join(into, `${new Date().toISOString().replace(/[:.]/g, '-')}-round-${round.number}`);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, 'round.json'), `${JSON.stringify({ seed, ...round }, undefined, 2)}\n`);
  copyFileSync(captureOf(folder, round.number), join(at, 'wire.pcap'));
  copyFileSync(join(folder, 'serve.log'), join(at, 'serve.log'));
  for (const file of ['reveille.db', 'reveille.db-wal']) {
    try {
      copyFileSync(join(disk.state, file), join(at, file));
    } catch {
      // It may well be gone.
    }
  }
}

function lineOf({ number, disturbance, backMs, voided, failures }: Round, ledger: Ledger): string {
  const back = backMs === undefined ? 'NOT back' : `back in ${(backMs / 1000).toFixed(2)} s`;
  const words = `${String(number).padStart(3)}  ${disturbance.padEnd(36)} ${back.padEnd(16)} ${ledger.acks} ACKs, ${ledger.held} leases${voided > 0 ? `, ${voided} destroyed` : ''}`;
  return [
    words,
    ...failures.slice(0, 5).map((failure) => `       ${failure.slice(0, 400)}`),
    ...(failures.length > 5 ? [`       and ${failures.length - 5} more`] : []),
  ].join('\n');
}

function summary(rounds: readonly Round[], print: (line: string) => void): void {
  print(
    `${'disturbance'.padEnd(38)}${'rounds'.padStart(7)}${'failed'.padStart(8)}${'p50 s'.padStart(8)}${'p99 s'.padStart(8)}`,
  );
  for (const [name, own] of [...Map.groupBy(rounds, ({ disturbance }) => disturbance), ['all', rounds] as const]) {
    const times = own.flatMap(({ backMs }) => backMs ?? []);
    const failed = own.filter(({ failures }) => failures.length > 0).length;
    const [p50, p99] = [0.5, 0.99].map((part) => (percentile(times, part) / 1000).toFixed(2).padStart(8));
    print(`${name.padEnd(38)}${String(own.length).padStart(7)}${String(failed).padStart(8)}${p50}${p99}`);
  }
}
