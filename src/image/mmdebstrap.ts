import { execFile, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { ReveilleError } from '../errors.ts';
import type { Recipe } from '../model/recipe.ts';
import { requireSubordinateIds, thisUser } from './builder.ts';
import { MARK, quote, recipeHooks } from './hooks.ts';
import { linePlace } from './recipePlace.ts';
import { type AptSetup, formatSources } from './sources.ts';

/** Times in the root are never later than this, so that a build does not leave its hour behind (2023-11-14). */
export const ROOT_EPOCH = 1_700_000_000;

export type RootRequest = {
  readonly recipe: Recipe;
  /** Folder of the site, against which the recipe's place is read. */
  readonly site: string;
  readonly suite: string;
  readonly apt: AptSetup;
  /** Where the tar goes. */
  readonly tar: string;
  /** Where mmdebstrap's whole output goes. */
  readonly log: string;
  /** Packages of earlier builds, handed to apt. */
  readonly debs: string;
  /** An empty folder that takes this build's packages. */
  readonly newDebs: string;
};

/** What a build is doing. `fraction` runs from 0 to 1 over the whole root where it is known. */
export type RootStep = { readonly doing: string; readonly fraction?: number };

export type BuiltRoot = { readonly modulesFreedBytes: number };

/** The command line of mmdebstrap for a request. */
export function mmdebstrapArguments(request: RootRequest, mode: 'root' | 'unshare'): readonly string[] {
  const { recipe, apt } = request;
  const hooks = recipeHooks(recipe);
  const archives = '/var/cache/apt/archives';
  const settings = [
    'Acquire::Languages "none"',
    'Acquire::Retries "3"',
    'APT::Install-Recommends "false"',
    'APT::Keep-Downloaded-Packages "true"',
    ...apt.settings,
  ];
  return [
    `--mode=${mode}`,
    '--variant=apt',
    '--format=tar',
    '--verbose',
    '--skip=essential/unlink',
    ...settings.map((setting) => `--aptopt=${setting}`),
    '--dpkgopt=force-unsafe-io',
    ...(recipe.packages.length === 0 ? [] : [`--include=${recipe.packages.join(',')}`]),
    ...(apt.sources.some((source) => source.uris.some((uri) => /^(file|copy):/.test(uri)))
      ? ['--hook-dir=/usr/share/mmdebstrap/hooks/file-mirror-automount']
      : []),
    `--setup-hook=mkdir -p "$1${archives}"`,
    `--setup-hook=sync-in ${quote(request.debs)} ${archives}`,
    ...hooks.essential.map((hook) => `--essential-hook=${hook}`),
    // Before the recipe's own steps, which may remove apt and its folders.
    `--customize-hook=sync-out ${archives} ${quote(request.newDebs)}`,
    ...hooks.customize.map((hook) => `--customize-hook=${hook}`),
    request.suite,
    request.tar,
    '-',
  ];
}

/** Builds a root as a tar. It runs as root, or as an ordinary user who has subordinate ids (/etc/subuid). */
export async function buildRoot(request: RootRequest, onStep: (step: RootStep) => void): Promise<BuiltRoot> {
  const args = mmdebstrapArguments(request, await rootMode());
  return runMmdebstrap({ ...request, args, sources: formatSources(request.apt.sources) }, onStep);
}

/** One run of mmdebstrap for a recipe. */
export type MmdebstrapRun = {
  readonly recipe: Recipe;
  /** Folder of the site, against which the recipe's place is read. */
  readonly site: string;
  /** Where the whole output goes. */
  readonly log: string;
  readonly args: readonly string[];
  /** apt sources for its standard input. */
  readonly sources: string;
  /** Where the tar goes, into a folder of its own that later builds empty. */
  readonly tar: string;
  /** What its hooks read as descriptor 3. */
  readonly input?: Readable;
};

/** Runs mmdebstrap, reports its progress, and attributes a failure to its place in the recipe. */
export async function runMmdebstrap(run: MmdebstrapRun, onStep: (step: RootStep) => void): Promise<BuiltRoot> {
  const [command = '', ...args] = [...(await endingWithUs()), 'mmdebstrap', ...run.args];
  const program = spawn(command, args, {
    stdio: ['pipe', 'ignore', 'pipe', run.input === undefined ? 'ignore' : 'pipe'],
    env: buildEnvironment(process.env, dirname(run.tar)),
  });
  const log = createWriteStream(run.log);
  // A log that cannot be written does not end the build: the error's text comes from memory.
  log.on('error', () => {});
  const ended = new Promise<number | null>((resolve, reject) => {
    program.on('close', resolve);
    program.on('error', (cause) => {
      reject(new ReveilleError('IMAGE_BUILD_FAILED', `mmdebstrap does not start: ${cause.message}`, { cause }));
    });
  });
  // Where mmdebstrap dies before it reads, its exit says why.
  program.stdin?.on('error', () => {});
  program.stdin?.end(run.sources);
  const fed = run.input === undefined ? undefined : feed(run.input, program.stdio[3] as Writable);

  const progress = new RootProgress(run.recipe.run.length);
  const tail: string[] = [];
  const [code, , unread] = await Promise.all([
    ended,
    (async () => {
      for await (const line of createInterface({ input: program.stderr as Readable })) {
        log.write(`${line}\n`);
        tail.push(line);
        if (tail.length > TAIL_LINES) tail.shift();
        const step = progress.read(line);
        if (step !== undefined) onStep(step);
      }
    })(),
    fed,
  ]).finally(() => log.end());
  if (unread !== undefined) throw unread;
  if (code === NOT_FOUND && tail.some((line) => line.includes('execute mmdebstrap'))) {
    throw new ReveilleError('TOOL_MISSING', 'mmdebstrap is not installed', { hint: 'run: apt-get install mmdebstrap' });
  }
  if (code !== 0) throw await failure(run, progress, tail);
  return { modulesFreedBytes: progress.modulesFreedBytes };
}

/**
 * How mmdebstrap is started. As root it mounts on this machine itself, and so may its children: in namespaces of its own nothing
 * of it stays, however it or this process ends. An ordinary user's run has those by its user namespace; root of a container
 * without the right to make them runs without, and mmdebstrap cleans up when it gets SIGTERM.
 */
async function endingWithUs(): Promise<readonly string[]> {
  const namespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const [command = '', ...args] = [...namespaces, 'true'];
  const may = () =>
    promisify(execFile)(command, args).then(
      () => true,
      () => false,
    );
  if (process.getuid?.() !== 0 || !(await may())) return ['setpriv', '--pdeathsig', 'TERM'];
  return ['setpriv', '--pdeathsig', 'KILL', ...namespaces];
}

/** Hands a stream to a program. What cannot be read is returned; a program that ends early says why by its exit. */
async function feed(input: Readable, to: Writable): Promise<Error | undefined> {
  let unread: Error | undefined;
  input.once('error', (error) => {
    unread = error;
  });
  // The descriptor is a socket: what its reader leaves unread comes back as an error, even after the end.
  to.on('error', () => {});
  await pipeline(input, to).catch(() => {});
  return unread;
}

const TAIL_LINES = 400;
/** The exit code where a program that is to be started is not there. */
const NOT_FOUND = 127;

/** Reads mmdebstrap's, apt's and dpkg's lines: what is going on and how far it is. */
export class RootProgress {
  modulesFreedBytes = 0;
  /** The `run` line that was started last. */
  runLine: number | undefined;
  readonly #runLines: number;
  /** The stretch of the whole that the present stage takes, and how much of it is done. */
  #stage = { from: 0.05, to: 0.5 };
  #expected = 0;
  #done = 0;

  constructor(runLines: number) {
    this.#runLines = runLines;
  }

  /** Takes one line of output; returns what to show if it changed. */
  read(line: string): RootStep | undefined {
    if (line.startsWith(MARK)) return this.#mark(line.slice(MARK.length).split(' '));
    if (line.startsWith('I: running apt-get update')) return { doing: 'reading package lists', fraction: 0 };
    if (line.startsWith('I: installing remaining packages')) {
      this.#stage = { from: 0.5, to: 0.85 };
      this.#expected = 0;
      this.#done = 0;
    }
    if (line.startsWith('I: creating tarball')) return { doing: 'writing the root', fraction: 0.95 };
    const counted = /^\d+ upgraded, (\d+) newly installed/.exec(line);
    // Each package is unpacked and set up.
    if (counted !== null) this.#expected = 2 * Number(counted[1]);
    const fetched = /^Get:\d+ \S+ \S+ \S+ (\S+) \S+ \S+ \[([^\]]+)\]/.exec(line);
    if (fetched !== null) return { doing: `fetching ${fetched[1]} (${fetched[2]})` };
    const worked = /^(Unpacking|Setting up) (\S+)/.exec(line);
    if (worked === null) return undefined;
    this.#done++;
    const { from, to } = this.#stage;
    const share = this.#expected === 0 ? 0 : Math.min(1, this.#done / this.#expected);
    const verb = worked[1] === 'Unpacking' ? 'unpacking' : 'setting up';
    return { doing: `${verb} ${worked[2]}`, fraction: from + (to - from) * share };
  }

  #mark([word, value]: readonly string[]): RootStep | undefined {
    if (word === 'modules-freed') {
      this.modulesFreedBytes += 1024 * Number(value);
      return undefined;
    }
    this.runLine = word === 'run' ? Number(value) : undefined;
    if (word === 'unpack') return { doing: 'unpacking the root', fraction: 0 };
    if (word === 'install') return { doing: 'reading package lists', fraction: 0.3 };
    if (word === 'run') return { doing: `run line ${Number(value) + 1} of ${this.#runLines}`, fraction: 0.87 };
    if (word === 'purge') return { doing: 'removing packages', fraction: 0.89 };
    if (word === 'modules') return { doing: 'leaving out kernel modules', fraction: 0.91 };
    return undefined;
  }
}

/**
 * The mode of mmdebstrap: `root` for a real root, `unshare` for an ordinary user. Root of a user namespace with few ids can use
 * neither: files of other owners cannot be made there.
 */
export async function rootMode(): Promise<'root' | 'unshare'> {
  if (process.getuid?.() !== 0) {
    await requireSubordinateIds(thisUser());
    return 'unshare';
  }
  const map = await readFile('/proc/self/uid_map', 'utf8').catch(() => '0 0 4294967295');
  const ids = map.split('\n').reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[2] ?? 0), 0);
  if (ids >= 65536) return 'root';
  throw new ReveilleError(
    'PRIVILEGE_MISSING',
    'images cannot be built as root of a user namespace with a single user',
    {
      hint: 'build the image outside of the namespace, as yourself',
    },
  );
}

/** Only what a build may depend on: the way to the network, and where to work. */
function buildEnvironment(from: NodeJS.ProcessEnv, work: string): NodeJS.ProcessEnv {
  const proxies = ['http_proxy', 'https_proxy', 'no_proxy', 'ftp_proxy', 'all_proxy'].flatMap((name) => [
    name,
    name.toUpperCase(),
  ]);
  const kept = proxies.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]]));
  return {
    ...Object.fromEntries(kept),
    PATH: `${from.PATH ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: '/root',
    USER: from.USER ?? '',
    LC_ALL: 'C.UTF-8',
    // /tmp is memory on many machines, and a root is large. What root leaves beside the tar is removed by the next build; an
    // ordinary user's subordinate ids may not come so far.
    TMPDIR: from.TMPDIR ?? (process.getuid?.() === 0 ? work : '/var/tmp'),
    SOURCE_DATE_EPOCH: String(ROOT_EPOCH),
  };
}

async function failure(
  request: MmdebstrapRun,
  progress: RootProgress,
  tail: readonly string[],
): Promise<ReveilleError> {
  const { recipe } = request;
  const hint = `the whole output is in ${request.log}`;
  const line = progress.runLine === undefined ? undefined : recipe.run[progress.runLine];
  if (line !== undefined && progress.runLine !== undefined) {
    const from = tail.findLastIndex((one) => one.startsWith(`${MARK}run `)) + 1;
    const printed = tail
      .slice(from)
      .filter((one) => !/^[IWE]: /.test(one))
      .slice(-15);
    const message =
      `run line ${progress.runLine + 1} of image ${recipe.name} fails: ${line.trim()}\n${printed.join('\n')}`.trimEnd();
    return new ReveilleError('IMAGE_BUILD_FAILED', message, {
      hint,
      place: await linePlace(recipe, request.site, 'run', progress.runLine),
    });
  }
  const errors = tail.filter((one) =>
    /^(E|dpkg|apt|newuidmap|newgidmap)\b.*: |^E: |^Err:|^W: .*(404|Failed)/.test(one),
  );
  const printed = (errors.length > 0 ? errors : tail).slice(-8).join('\n');
  return new ReveilleError('IMAGE_BUILD_FAILED', `the root of image ${recipe.name} cannot be built:\n${printed}`, {
    hint: /newuidmap/.test(printed) ? 'install uidmap: apt-get install uidmap' : hint,
    place: recipe.place,
  });
}
