import { join } from 'node:path';
import { Command } from 'commander';
import { imageFiles } from '../image/contents.ts';
import { diffImages, type FileDifference, type ImageDifference } from '../image/diff.ts';
import { findImage } from '../image/find.ts';
import { openShelf, type Shelf } from '../image/shelf.ts';
import { formatBytes } from '../words/units.ts';
import { jsonOption, stateOption } from './options.ts';
import { jsonText } from './print.ts';
import { table } from './table.ts';

/** `reveille image diff A B`: what changed from one image to another. */
export function imageDiffCommand(): Command {
  return new Command('diff')
    .description('show what changed from one image to another: packages, files, sizes')
    .argument('<a>', 'an image: NAME, NAME@1 for the build before, or the beginning of its id')
    .argument('[b]', 'the other image; left out: NAME as it is now, against the build before')
    .addOption(stateOption())
    .option('--all', 'list every file', false)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample:\n  reveille image diff bookworm-nova            # since the build before\n  reveille image diff bookworm-nova trixie-nova',
    )
    .action(async (a: string, b: string | undefined, flags: { state: string; all: boolean; json: boolean }) => {
      const shelf = openShelf(join(flags.state, 'images'));
      const before = await opened(shelf, b === undefined ? `${a}@1` : a);
      const difference = diffImages(before, await opened(shelf, b ?? a));
      console.log(flags.json ? jsonText(difference) : differenceText(difference, flags.all));
    });
}

async function opened(shelf: Shelf, text: string) {
  const image = await findImage(shelf, text);
  return { image, files: await imageFiles(image) };
}

const SHOWN = 30;

/** A difference as an operator reads it: the largest changes first, the others counted. */
export function differenceText({ kernel, fetched, unpacked, packages, files }: ImageDifference, all: boolean): string {
  const sizes = ({ before, after }: { before: number; after: number }) =>
    `${formatBytes(before)} -> ${formatBytes(after)} (${signed(after - before)})`;
  const lines = [
    `kernel    ${kernel.before === kernel.after ? kernel.after : `${kernel.before} -> ${kernel.after}`}`,
    `fetched   ${sizes(fetched)}`,
    `unpacked  ${sizes(unpacked)}`,
    `files     ${count(files, 'added')} added, ${count(files, 'removed')} removed, ${count(files, 'changed')} changed`,
  ];
  if (packages.length > 0) {
    const rows = packages.map(({ name, before = '-', after = '-' }) => [name, before, after]);
    lines.push('', table([['PACKAGE', 'BEFORE', 'AFTER'], ...rows]));
  }
  if (files.length > 0) {
    const shown = all ? files : files.slice(0, SHOWN);
    const rows = shown.map((file) => [
      signed((file.after ?? 0) - (file.before ?? 0)),
      kindOf(file) === 'changed' ? file.what.join(', ') : kindOf(file),
      file.path,
    ]);
    lines.push('', table([['SIZE', 'CHANGE', 'FILE'], ...rows]));
    if (shown.length < files.length) lines.push(`and ${files.length - shown.length} more: --all lists them`);
  }
  return lines.join('\n');
}

function kindOf({ before, after }: FileDifference): 'added' | 'removed' | 'changed' {
  return before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
}

function count(files: readonly FileDifference[], kind: ReturnType<typeof kindOf>): number {
  return files.filter((file) => kindOf(file) === kind).length;
}

function signed(bytes: number): string {
  return bytes < 0 ? `-${formatBytes(-bytes)}` : `+${formatBytes(bytes)}`;
}
