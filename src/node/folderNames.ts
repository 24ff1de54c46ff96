import { distance } from 'fastest-levenshtein';
import { didYouMean, quoted } from '../site/finding.ts';
import { OVERLAY_FILE } from './overlayFile.ts';

/** The warning about a name, and a suggestion. */
export type Doubt = { readonly message: string; readonly hint: string };

/** The names in a node's folder, each also as a template. */
const IN_NODE_FOLDER = ['files', 'hosts', 'hostname', 'settings.sh', OVERLAY_FILE];

/** The folders that `/` has on any Linux machine. */
const ROOT_FOLDERS =
  'bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys tmp usr var'.split(' ');

/** The warning about a name in a node's folder that has no meaning there. */
export function nodeFolderDoubt(name: string, isFolder: boolean): Doubt | undefined {
  if (isNote(name)) return undefined;
  const message = `${quoted(name)} has no meaning in a node's folder and is not written to the node`;
  const plain = name.replace(/\.j2$/, '');
  if (isFolder && ROOT_FOLDERS.includes(plain)) {
    return { message, hint: `files for the node go below files/: files/${plain}` };
  }
  if (/^host$/i.test(plain)) return { message, hint: 'did you mean "hosts" or "hostname"?' };
  const known = `known names: files/, hosts, hostname, settings.sh (each also as .j2), ${OVERLAY_FILE}`;
  return { message, hint: didYouMean(plain, IN_NODE_FOLDER) ?? known };
}

/** The warning about a name at the root of a tree that is written over `/`: an overlay, or `files/` of a node's folder. */
export function treeDoubt(name: string, isFolder: boolean, tree: 'overlay' | 'files'): Doubt | undefined {
  const laid = `is written on the node as /${name.replace(/\.j2$/, '')}`;
  if (isFolder) {
    if (name === 'files' && tree === 'overlay') {
      return { message: laid, hint: 'an overlay is written over / as it is: move the contents of files/ one level up' };
    }
    if (ROOT_FOLDERS.includes(name)) return undefined;
    const near = ROOT_FOLDERS.find((known) => isNear(name, known));
    return near === undefined ? undefined : { message: laid, hint: `did you mean "${near}"?` };
  }
  if (/^overlays?\.ya?ml(?:\.j2)?$/i.test(name)) {
    const hint = tree === 'overlay' ? `did you mean "${OVERLAY_FILE}"?` : `${OVERLAY_FILE} stands beside files/`;
    return { message: laid, hint };
  }
  if (/^(?:hosts|hostname|settings\.sh)(?:\.j2)?$/.test(name)) {
    const path = name.startsWith('settings') ? undefined : `etc/${name}`;
    const own = `${quoted(name)} has a meaning only in a node's folder`;
    return { message: laid, hint: path === undefined ? own : `did you mean "${path}"?` };
  }
  return undefined;
}

/** Files for readers, such as README, which may stand anywhere. */
function isNote(name: string): boolean {
  return /^(?:README|LICENSE|COPYING|NOTES?|CHANGELOG)(?:\.[a-z]+)?$/i.test(name) || /\.(?:md|rst)$/i.test(name);
}

/** One letter more, less or another, two that changed places, or capitals. */
function isNear(name: string, known: string): boolean {
  const letters = (text: string) => [...text].sort().join('');
  const lower = name.toLowerCase();
  return distance(lower, known) <= 1 || letters(lower) === letters(known);
}
