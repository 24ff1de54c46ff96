import { pack } from 'tar-stream';
import { NO_SECRETS, type SecretMask } from './secretMask.ts';
import { joinInSteps, sha256InSteps, sha256Of } from './sha256.ts';

/** The source of a bundle's file: `overlay nova-compute`, `nodes/10-0-0-51`, `generated`. */
export type Origin = string;

/** One file that a node gets. `path` is absolute on the node; `mode` holds the permission bits; owners are names or numbers. */
export type BundleFile = {
  readonly path: string;
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
  readonly origin: Origin;
} & (
  | { readonly content: Uint8Array }
  | { readonly target: string }
  /** A file of the image in which each token (no tab or line end) becomes its value (no line end); its mode and owner stay. */
  | { readonly replace: ReadonlyMap<string, string> }
  /** A folder; the image's own keeps its owner and mode where this is `default`. */
  | { readonly folder: 'declared' | 'default' }
);

/** A shell command that a node runs once after files changed that it watches. */
export type Hook = { readonly run: string; readonly watches: (path: string) => boolean };

/**
 * All that one node gets. `manifest` has a line for each folder that it gets by itself, then one for each file, by path: kind, mode, owner, group, the blob that the file
 * is made from, and the path, with tabs between. Kinds: `file`; `link` (the blob is its target); `default` for a generated
 * file, which gives way to a link that is there; `replace`, whose mode and owners are `-` and whose blob holds lines of
 * token, tab and value; `folder` and, where the image's own keeps what it has, `default-folder`, whose blob is `-`. `hooks` has a line for each file that a hook watches: the blob with its command, a tab and the
 * path; hooks in the order in which they run. Blobs go by their SHA-256 in hex. The same files give the same text.
 */
export type Bundle = {
  readonly manifest: string;
  readonly hooks: string;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  /** SHA-256 in hex of the manifest and the hooks, one after the other: it names the bundle, contents included. */
  readonly sha256: string;
  /** The name that an agent without folders gives it. */
  readonly olderSha256: string;
  /** Hides what must not be shown or kept of the blobs. */
  readonly mask: SecretMask;
  /** How many seconds settings.sh may run, 0 for ever; absent: the agent's default. Not part of the bundle's name. */
  readonly settingsSeconds?: number;
};

/** Where the agent finds the node's script; it runs as root at every boot. */
export const SETTINGS_PATH = '/var/lib/reveille/settings.sh';

/** One line of a manifest. Mode and owners are `-` for files in which tokens are replaced. */
export type ManifestFile = {
  readonly kind: string;
  readonly mode: string;
  readonly owner: string;
  readonly group: string;
  readonly blob: string;
  readonly path: string;
};

/** The files of a manifest, in its order. Malformed lines are skipped. */
export function manifestFiles(manifest: string): readonly ManifestFile[] {
  return linesOf(manifest).flatMap((line) => {
    const [kind, mode, owner, group, blob, path] = line.split('\t');
    if (kind === undefined || mode === undefined || owner === undefined || group === undefined) return [];
    return blob === undefined || path === undefined ? [] : [{ kind, mode, owner, group, blob, path }];
  });
}

/** A manifest without the folders before its files. */
export function filesOnly(manifest: string): string {
  return manifest.replace(/^(?:(?:default-)?folder\t.*\n)+/, '');
}

/**
 * Makes the bundle of these files (one for a path) and hooks; hooks that watch none of the files are left out. `hashes`: of
 * contents whose SHA-256 is known already.
 */
export function makeBundle(
  files: readonly BundleFile[],
  hooks: readonly Hook[],
  mask: SecretMask = NO_SECRETS,
  { settingsSeconds }: Pick<Bundle, 'settingsSeconds'> = {},
  hashes: ReadonlyMap<Uint8Array, string> = new Map(),
): Bundle {
  const blobs = new Map<string, Uint8Array>();
  const keep = (content: Uint8Array | string): string => {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const sha256 = hashes.get(bytes) ?? sha256Of(bytes);
    blobs.set(sha256, bytes);
    return sha256;
  };
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const folders = sorted.map((file) => ('folder' in file ? manifestLine(file, '-') : '')).join('');
  const plain = sorted.map((file) => ('folder' in file ? '' : manifestLine(file, keep(blobOf(file))))).join('');
  const manifest = folders + plain;
  const watched = hooks.flatMap(({ run, watches }) => {
    const paths = sorted.map(({ path }) => path).filter(watches);
    if (paths.length === 0) return [];
    const blob = keep(`${run.trimEnd()}\n`);
    return paths.map((path) => `${blob}\t${path}\n`);
  });
  const lines = [...new Set(watched)].join('');
  const named = (text: string) => sha256Of(Buffer.from(text + lines));
  return {
    manifest,
    hooks: lines,
    blobs,
    sha256: named(manifest),
    olderSha256: named(plain),
    mask,
    ...(settingsSeconds === undefined ? {} : { settingsSeconds }),
  };
}

/** An archive and the SHA-256 of its bytes, in hex. */
export type Archive = { readonly tar: Buffer; readonly sha256: string };

/**
 * Packs a bundle into a tar that any tar unpacks: `manifest` without its folders; `folders` if there are any (older agents ignore
 * it); `hooks`; `mask` if the node gets secrets (what its agent must hide in all its output: one literal text per line, longest
 * first); `limits` if the site sets one (`settings=SECONDS`); and `data/<sha256>` for each blob, except those that only files
 * need whose lines stand in `applied`, a manifest that the node has. The same bundle gives the same bytes.
 */
export async function packBundle(bundle: Bundle, applied = ''): Promise<Archive> {
  const archive = pack();
  const chunks: Buffer[] = [];
  const all = (async () => {
    for await (const chunk of archive) chunks.push(chunk as Buffer);
  })();
  const files = filesOnly(bundle.manifest);
  const folders = bundle.manifest.slice(0, bundle.manifest.length - files.length);
  archive.entry(header('manifest'), files);
  if (folders !== '') archive.entry(header('folders'), folders);
  archive.entry(header('hooks'), bundle.hooks);
  if (bundle.mask.agentList !== '') archive.entry(header('mask'), bundle.mask.agentList);
  if (bundle.settingsSeconds !== undefined) archive.entry(header('limits'), `settings=${bundle.settingsSeconds}\n`);
  for (const sha256 of needed(bundle, applied)) {
    const content = bundle.blobs.get(sha256);
    if (content) archive.entry(header(`data/${sha256}`), bufferOf(content));
  }
  archive.finalize();
  await all;
  const tar = await joinInSteps(chunks);
  return { tar, sha256: await sha256InSteps(tar) };
}

/** The blobs of hooks, and of the files whose lines the node does not have. */
function needed({ manifest, hooks }: Bundle, applied: string): ReadonlySet<string> {
  const known = new Set(applied.split('\n'));
  const changed = linesOf(manifest).filter((line) => !known.has(line));
  return new Set([
    ...changed.map((line) => line.split('\t')[4] ?? ''),
    ...linesOf(hooks).map((line) => line.slice(0, 64)),
  ]);
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

function blobOf(file: Exclude<BundleFile, { readonly folder: unknown }>): Uint8Array | string {
  if ('target' in file) return file.target;
  if ('content' in file) return file.content;
  return [...file.replace].map(([token, value]) => `${token}\t${value}\n`).join('');
}

function manifestLine(file: BundleFile, blob: string): string {
  const access = 'replace' in file ? ['-', '-', '-'] : [file.mode.toString(8).padStart(4, '0'), file.owner, file.group];
  return `${[kindOf(file), ...access, blob, file.path].join('\t')}\n`;
}

function kindOf(file: BundleFile): string {
  if ('folder' in file) return file.folder === 'declared' ? 'folder' : 'default-folder';
  if ('target' in file) return 'link';
  if ('replace' in file) return 'replace';
  return file.origin === 'generated' ? 'default' : 'file';
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function header(name: string) {
  return { name, mode: 0o600, uid: 0, gid: 0, mtime: new Date(0) };
}
