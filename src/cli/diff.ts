import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { DIFF } from '../http/contracts/files.ts';
import type { FileChange, FileForm, NodeDiff } from '../node/diff.ts';
import { KEPT_PRIVATE } from '../node/secretMask.ts';
import { plainLine, plainLines } from '../plainText.ts';
import { ask, type ServerFlags } from './api.ts';
import { asking, jsonOption } from './options.ts';
import { jsonText, paint } from './print.ts';

/** `reveille diff NODE`: what the next refresh would change on a running node, and what was changed there. */
export function diffCommand(): Command {
  return asking(new Command('diff'))
    .description('show what would change on a running node, and what was changed there')
    .argument('<node>', 'name, MAC or address')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExits 0 if nothing would change and nothing was changed there, else 1. Private keys are not shown.\n\nExample:\n  reveille diff node01',
    )
    .action(async (node: string, flags: ServerFlags & { json: boolean }) => {
      const diff = await ask(flags, DIFF, { query: { node } });
      if (diff.changes.length > 0) process.exitCode = 1;
      if (flags.json) console.log(jsonText(diff));
      else console.log(diff.changes.length === 0 ? `Nothing would change on ${node}.` : await diffText(diff));
    });
}

/** The changes as people read them, with the lines that differ where they are known. */
export async function diffText({ changes, hooks }: NodeDiff): Promise<string> {
  const parts = await Promise.all(changes.map(changeText));
  const run =
    hooks.length === 0 ? [] : ['', 'Then these hooks run:', ...hooks.map((command) => `  ${plainLine(command)}`)];
  return [...parts, ...run].join('\n');
}

const SIGNS = { added: '+', changed: '~', removed: '-', drifted: '!' } as const;

async function changeText(change: FileChange): Promise<string> {
  const { path, before, after, drift } = change;
  const notes = [
    ...(change.change === 'added' && after ? [access(after)] : []),
    ...(before && after ? accessChanges(before, after) : []),
    ...(drift ? [driftText(change)] : []),
    ...(change.change === 'removed' && before?.kind !== 'folder'
      ? ["the image's own file comes back, if it has one"]
      : []),
  ].filter((note) => note !== '');
  const head = `${SIGNS[change.change]} ${path}  ${change.change}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`;
  const isFolder = (after ?? before)?.kind === 'folder';
  const lines = isFolder || change.change === 'drifted' || !change.contentDiffers ? [] : await contentLines(change);
  return [paint('bold', plainLine(head)), ...lines.map((line) => `    ${line}`)].join('\n');
}

function access({ mode, owner, group, kind }: FileForm): string {
  return mode === null
    ? 'tokens replaced'
    : kind === 'link'
      ? 'link'
      : `${kind === 'folder' ? 'folder ' : ''}${mode} ${owner}:${group}`;
}

function accessChanges(before: FileForm, after: FileForm): readonly string[] {
  const was = [before.kind, before.mode, `${before.owner}:${before.group}`];
  const is = [after.kind, after.mode, `${after.owner}:${after.group}`];
  return ['', 'mode ', 'owner '].flatMap((name, i) => (was[i] === is[i] ? [] : [`${name}${was[i]} becomes ${is[i]}`]));
}

function driftText({ drift, change }: FileChange): string {
  if (!drift) return '';
  const stays = change === 'drifted' ? ', stays so until the site changes it or `reveille sync --restore`' : '';
  if (drift.what === 'missing') return `removed on the node${stays}`;
  if (drift.what === 'content') return `changed on the node${stays}`;
  const { mode, owner, group } = drift.access ?? {};
  return `on the node it has mode ${mode} and owner ${owner}:${group}${stays}`;
}

/** The lines that differ, or why they are not shown. */
async function contentLines({ path, before, after }: FileChange): Promise<readonly string[]> {
  const old = before ? before.text : '';
  const next = after ? after.text : '';
  if (old === null && next === null) return ['(not text, or not known here any more)'];
  if (old === null && next?.includes(KEPT_PRIVATE)) return [KEPT_PRIVATE];
  if (old === null) return ['(its text before is not known here; it will be:)', ...linesOf(next ?? '')];
  if (next === null) return ['(it will be no text)'];
  if (old === next) return ['(differs only in what is kept private)'];
  return (await unified(path, old, next)).map((line) =>
    line.startsWith('+') ? paint('green', line) : line.startsWith('-') ? paint('red', line) : line,
  );
}

function linesOf(text: string): readonly string[] {
  return plainLines(text).replace(/\n$/, '').split('\n');
}

/** The lines of `diff -u`, without its two headings. The texts may hold secrets: only this user sees the folder. */
async function unified(path: string, old: string, next: string): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'reveille-diff-'));
  try {
    await writeFile(join(folder, 'old'), old, { mode: 0o600 });
    await writeFile(join(folder, 'new'), next, { mode: 0o600 });
    // Exit code 1 says that they differ.
    const answer = await promisify(execFile)('diff', ['-u', 'old', 'new'], { cwd: folder, maxBuffer: 1 << 24 }).catch(
      (error: { code?: unknown; stdout?: string }) => error,
    );
    const { stdout = '' } = answer;
    return stdout === '' ? [`(${path} differs; the program diff is missing here)`] : linesOf(stdout).slice(2);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
