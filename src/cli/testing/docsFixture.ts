import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonSchema } from '../../site/jsonSchema.ts';

export const ROOT = join(import.meta.dirname, '../../..');

/** The guide: what an operator reads to write a site. */
export const GUIDE = ['docs/operators-guide.md', 'docs/images.md', 'docs/overlays.md'];

/** All pages, by their paths in the repository. */
export function pages(...globs: string[]): readonly string[] {
  return globSync(globs, { cwd: ROOT }).sort();
}

/** A block between fences, and the line of the page that it begins in. */
export type Block = { readonly language: string; readonly text: string; readonly line: number };

const FENCED = /^```(\w*).*\n([\s\S]*?)^```/gm;

export function textOf(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

export function blocksIn(page: string): readonly Block[] {
  const text = textOf(page);
  return [...text.matchAll(FENCED)].map(({ 1: language = '', 2: block = '', index }) => ({
    language,
    text: block,
    line: text.slice(0, index).split('\n').length + 1,
  }));
}

/** What stands between backquotes in the text, outside of blocks. */
export function wordsInCode(page: string): readonly string[] {
  const text = textOf(page).replace(FENCED, '');
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

/** Blocks that say in their first line which file they are. */
export function filesIn(page: string): Record<string, string> {
  const files = blocksIn(page).flatMap(({ text }) => {
    const name = /^(?:# |\{# )([\w./-]+\.(?:yaml|j2))(?: #\})?\n/.exec(text);
    return name?.[1] === undefined ? [] : [[name[1], text.slice(name[0].length)] as const];
  });
  return Object.fromEntries(files);
}

/** A page may show a piece of a network or of a profile, as it stands in the file: this is what goes before it. */
export function around(text: string): string {
  if (!text.startsWith('    ')) return '';
  return text.startsWith('    pools:') ? 'networks:\n  cluster:\n    subnet: 10.0.0.0/24\n' : 'profiles:\n  compute:\n';
}

const keysOf = (name: 'site' | 'image'): readonly string[] =>
  Object.keys((jsonSchema(name) as { properties: object }).properties);
export const SITE_KEYS = keysOf('site');
export const IMAGE_KEYS = keysOf('image');
