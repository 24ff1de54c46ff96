import { createHash } from 'node:crypto';
import { pack } from 'tar-stream';

/** Where a file of a bundle comes from, in words: `overlay nova-compute`, `nodes/10-0-0-51`, `generated`. */
export type Origin = string;

/** One file that a node gets. `path` is absolute on the node; `mode` holds the permission bits; owners are names or numbers. */
export type BundleFile = {
  readonly path: string;
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
  readonly origin: Origin;
} & ({ readonly content: Uint8Array } | { readonly target: string });

/** All files of one node in one archive, named by its SHA-256 in hex. */
export type Bundle = { readonly tar: Buffer; readonly sha256: string };

/** Where the agent finds the node's script; it runs as root at every boot. */
export const SETTINGS_PATH = '/var/lib/reveille/settings.sh';

/**
 * Packs files into a tar that any tar unpacks: `manifest` holds a line for each file (kind, mode, owner, group, blob and
 * path with tabs between), `data/<blob>` its content or a link's target. Kinds: `file`, `link`, and `default` for a
 * generated file, which gives way to a link that is there. The same files give the same bytes.
 */
export async function packBundle(files: readonly BundleFile[]): Promise<Bundle> {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const archive = pack();
  const chunks: Buffer[] = [];
  const all = (async () => {
    for await (const chunk of archive) chunks.push(chunk as Buffer);
  })();
  const manifest = sorted.map((file, blob) => manifestLine(file, blob)).join('');
  archive.entry(header('manifest'), manifest);
  sorted.forEach((file, blob) => {
    const content =
      'target' in file
        ? file.target
        : Buffer.from(file.content.buffer, file.content.byteOffset, file.content.byteLength);
    archive.entry(header(`data/${blob}`), content);
  });
  archive.finalize();
  await all;
  const tar = Buffer.concat(chunks);
  return { tar, sha256: createHash('sha256').update(tar).digest('hex') };
}

function manifestLine(file: BundleFile, blob: number): string {
  const kind = 'target' in file ? 'link' : file.origin === 'generated' ? 'default' : 'file';
  const mode = file.mode.toString(8).padStart(4, '0');
  return `${[kind, mode, file.owner, file.group, blob, file.path].join('\t')}\n`;
}

function header(name: string) {
  return { name, mode: 0o600, uid: 0, gid: 0, mtime: new Date(0) };
}
