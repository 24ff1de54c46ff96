import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Recipe } from '../model/recipe.ts';
import type { AgentFile } from '../node/agent/files.ts';
import { baseKey } from './cache.ts';
import { busyboxFiles } from './firstInitrd/busybox.ts';

/** What shapes an image beside its recipe. `root` is the identity of its root. */
export type ImageParts = { readonly root: string; readonly agent: readonly AgentFile[]; readonly check: boolean };

/**
 * A key over everything that determines an image: its root, its recipe, the agent, whether it is checked, this program and the
 * tools of this machine that write it. Two builds with one key would give the same files.
 */
export async function imageKey(
  { name: _, place: __, extends: ___, ...recipe }: Recipe,
  { root, agent: files, check }: ImageParts,
): Promise<string> {
  const agent = files.map((file) => ('target' in file ? file : { ...file, content: sum([file.content]) }));
  const tools = recipe.root === 'squashfs' ? await squashfsTools() : [];
  return baseKey({ root, recipe, agent, check, tools, program: await programSum(), node: process.version });
}

/** The code that makes images: this room, and the globs that recipes are written in. */
async function programSum(): Promise<string> {
  const files = await readdir(import.meta.dirname, { recursive: true, withFileTypes: true });
  const paths = files
    .filter((file) => file.isFile() && !file.name.endsWith('.test.ts'))
    .map((file) => join(file.parentPath, file.name));
  return sum(await Promise.all([...paths.sort(), GLOBS].map((path) => readFile(path))));
}

const GLOBS = join(import.meta.dirname, '../site/glob.ts');

async function squashfsTools(): Promise<readonly string[]> {
  // Some versions of mksquashfs print their version with exit code 1; if it is missing, the build reports it.
  const version = await promisify(execFile)('mksquashfs', ['-version']).catch(({ stdout }: { stdout?: string }) => ({
    stdout: stdout ?? '',
  }));
  const busybox = await busyboxFiles();
  return [version.stdout, sum(busybox.map(({ content }) => content))];
}

function sum(contents: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const content of contents) hash.update(`${content.length} `).update(content);
  return hash.digest('hex');
}
