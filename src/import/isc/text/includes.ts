import { readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { ReveilleError } from '../../../errors.ts';
import { quoted } from '../../../site/finding.ts';
import { invalid } from '../../invalid.ts';
import type { Includes } from './parser.ts';

/** A configuration of 50,000 hosts has some 10 MB. */
const LONGEST = 100_000_000;
const MOST_FILES = 10_000;

/** Reads the text of a configuration file: UTF-8, or Latin-1 where it is not that. Throws FILE_MISSING or IMPORT_INVALID. */
export function readConfiguration(file: string): string {
  return decode(readBytes(file));
}

/** The same, each byte one character: what dhcpd.leases is written in. */
export function readLatin1(file: string): string {
  return readBytes(file).toString('latin1');
}

function readBytes(file: string): Buffer {
  try {
    const about = statSync(file);
    if (!about.isFile()) throw invalid({ file, line: 1, col: 1 }, 'this is not a file');
    if (about.size > LONGEST) throw invalid({ file, line: 1, col: 1 }, `this file is longer than ${LONGEST / 1e6} MB`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof ReveilleError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'it may not be read' : code;
    throw new ReveilleError('FILE_MISSING', `cannot read ${file}: ${why}`, { cause: error });
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}

/**
 * Finds what the configuration in `main` includes. Names are relative to its folder, and nothing beyond that folder is
 * read. An absolute name, as it stood on the old server, is looked for by its last parts: `/etc/dhcp/racks/g6.conf` is
 * `racks/g6.conf` beside a copied dhcpd.conf.
 */
export function includesBeside(main: string): Includes {
  const root = realpathSync(dirname(resolve(main)));
  let files = 0;
  return (name, place) => {
    if (++files > MOST_FILES) throw invalid(place, `more than ${MOST_FILES} files are included`);
    const found = candidates(root, name).find(exists);
    if (found === undefined) {
      const hint = isAbsolute(name) ? `copy it to ${join(root, basename(name))}, beside the configuration` : undefined;
      throw invalid(place, `there is no file ${quoted(name)} in ${root}`, hint);
    }
    const real = realpathSync(found);
    if (!isBelow(root, real)) {
      throw invalid(place, `${quoted(name)} lies outside ${root}`, 'copy it there: nothing else is read');
    }
    try {
      const text = readConfiguration(real);
      return { file: relative(process.cwd(), real).startsWith('..') ? real : relative(process.cwd(), real), text };
    } catch (error) {
      throw error instanceof ReveilleError ? invalid(place, error.message, error.hint) : error;
    }
  };
}

function candidates(root: string, name: string): readonly string[] {
  if (name.includes('\0')) return [];
  if (!isAbsolute(name)) return [join(root, name)];
  const parts = name.split(sep).filter((part) => part !== '' && part !== '.' && part !== '..');
  return [name, ...parts.map((_, i) => join(root, ...parts.slice(i)))];
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isBelow(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}
