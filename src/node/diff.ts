import type { Drifted } from '../model/nodeFiles.ts';
import { type Bundle, type ManifestFile, manifestFiles } from './bundle.ts';
import type { Applied } from './news.ts';
import type { SecretMask } from './secretMask.ts';

/** The access and source of a file; `null` for what does not apply (a file with replaced tokens keeps its own access). */
export type FileForm = {
  readonly kind: 'file' | 'link' | 'replace' | 'folder';
  readonly mode: string | null;
  readonly owner: string | null;
  readonly group: string | null;
  /** The text, a link's target, or lines of token, tab and value; `null` if it is unknown or not text. */
  readonly text: string | null;
};

/** One file that would change on a node, or that was changed there. */
export type FileChange = {
  readonly path: string;
  readonly change: 'added' | 'changed' | 'removed' | 'drifted';
  /** As the node has it, and as the site gives it; absent where there is none. */
  readonly before?: FileForm;
  readonly after?: FileForm;
  /** How it was changed on the node. */
  readonly drift?: Drifted;
  /** Whether its content differs, which texts that are unknown or contain secrets do not show. */
  readonly contentDiffers: boolean;
};

/** What would change on a running node. */
export type NodeDiff = {
  readonly changes: readonly FileChange[];
  /** The commands that would run then, in order. */
  readonly hooks: readonly string[];
};

/**
 * Compares a node's files with the bundle that the site gives it. `text` returns the text of an earlier blob, if it is still
 * known. Secrets are left out of all texts. Files that drifted and would not change otherwise come last; they stay as they are
 * until the site changes them or they are restored.
 */
export async function diffNode(
  applied: Applied,
  bundle: Bundle,
  text: (sha256: string) => Promise<string | undefined>,
): Promise<NodeDiff> {
  const had = byPath(applied.manifest ?? '');
  const gets = byPath(bundle.manifest);
  const drift = new Map(applied.drift.map((one) => [one.path, one]));
  const old = async (file: ManifestFile) => formOf(file, await text(file.blob), bundle.mask);
  const fresh = (file: ManifestFile) => formOf(file, textIn(bundle, file.blob), bundle.mask);

  const changes: FileChange[] = [];
  for (const path of new Set([...had.keys(), ...gets.keys()].sort())) {
    const before = had.get(path);
    const after = gets.get(path);
    const drifted = drift.get(path);
    const more = drifted ? { drift: drifted } : {};
    if (before && after && sameForm(before, after)) continue;
    changes.push({
      path,
      change: !before ? 'added' : !after ? 'removed' : 'changed',
      ...(before ? { before: await old(before) } : {}),
      ...(after ? { after: fresh(after) } : {}),
      ...more,
      contentDiffers: before?.blob !== after?.blob,
    });
  }
  const touched = new Set(changes.map(({ path }) => path));
  for (const one of applied.drift) {
    const file = gets.get(one.path);
    if (touched.has(one.path) || !file) continue;
    const form = fresh(file);
    const contentDiffers = one.what !== 'access';
    changes.push({ path: one.path, change: 'drifted', before: form, after: form, drift: one, contentDiffers });
  }
  return { changes, hooks: hooksOf(bundle, touched) };
}

function byPath(manifest: string): ReadonlyMap<string, ManifestFile> {
  return new Map(manifestFiles(manifest).map((file) => [file.path, file]));
}

function sameForm(a: ManifestFile, b: ManifestFile): boolean {
  return a.blob === b.blob && a.kind === b.kind && a.mode === b.mode && a.owner === b.owner && a.group === b.group;
}

function formOf({ kind, mode, owner, group }: ManifestFile, text: string | undefined, mask: SecretMask): FileForm {
  const own = (value: string) => (value === '-' ? null : value);
  return {
    kind: kind === 'link' || kind === 'replace' ? kind : kind.endsWith('folder') ? 'folder' : 'file',
    mode: own(mode),
    owner: own(owner),
    group: own(group),
    text: text === undefined ? null : mask.mask(text),
  };
}

function textIn(bundle: Bundle, blob: string): string | undefined {
  const content = bundle.blobs.get(blob);
  return content && textOf(content);
}

/** The text that bytes hold; `undefined` if they hold none. */
export function textOf(content: Uint8Array): string | undefined {
  if (content.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}

/** The first lines of the hooks that watch any of these paths. Hooks of removed files are known on the node only. */
function hooksOf(bundle: Bundle, touched: ReadonlySet<string>): readonly string[] {
  const lines = bundle.hooks.split('\n').map((line) => line.split('\t'));
  const blobs = new Set(lines.flatMap(([blob, path]) => (blob && path && touched.has(path) ? [blob] : [])));
  return [...blobs].flatMap((blob) => bundle.mask.mask(textIn(bundle, blob) ?? '').split('\n')[0] ?? []);
}
