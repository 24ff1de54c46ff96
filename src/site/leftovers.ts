/**
 * Names of files that programs leave beside the operator's files. What reads, watches and checks the site uses this one list.
 * Such a file is not written to nodes; to write one anyway, name it as a template (`foo~.j2` becomes `foo~`).
 */

/** The kind of leftover, at the end of a sentence: `nodes/node01/settings.sh~ is left out: ...`. */
export type Leftover = (typeof KINDS)[number]['what'];

/** The first kind whose pattern matches counts. Patterns see one name, without its folder; `folders`: they match folders too. */
const KINDS = [
  {
    what: "an editor's lock or swap file",
    // vim and nano (.x.swp, .x.swo, 4913), Emacs (.#x), LibreOffice (.~lock.x#), Kate, gedit, Kakoune.
    names: /^\..*\.sw[a-z]$|^\.sw[a-z]$|\.sw[op]$|^4913$|^\.#|^\.~lock\..*#$|\.kate-swp$|^\.goutputstream-|^\.kak\./,
  },
  {
    what: "an editor's backup copy",
    // Of nearly every editor (x~), Emacs (#x#), JetBrains.
    folders: true,
    names: /~$|^#.*#$|^~\$|___jb_(?:old|tmp)___$/,
  },
  {
    what: 'a copy of before a change',
    // By hand, of patch and of merges.
    names: /.\.(?:bak|orig|rej)$/,
  },
  {
    what: 'a file of a package manager',
    names:
      /.\.(?:dpkg-(?:old|new|dist|tmp|bak|backup|inst|remove|diverted|cfg)|ucf-(?:old|new|dist)|rpm(?:new|save|orig))$/,
  },
  {
    what: 'a file of a version control system',
    folders: true,
    names: /^\.(?:git|gitignore|gitkeep|gitattributes|gitmodules|keep|svn|hg|hgignore|bzr|jj)$|^CVS$/,
  },
  {
    what: "a file of a desktop's file manager",
    folders: true,
    names: /^\.DS_Store$|^\._|^__MACOSX$|^Thumbs\.db$|^[Dd]esktop\.ini$|^\.Trash-\d+$|^\.directory$/,
  },
  {
    what: 'a file that the file system keeps while it is open',
    names: /^\.nfs[0-9a-f]{8,}$|^\.fuse_hidden[0-9a-f]+$/,
  },
] as const;

/** The kind of leftover that `name` is, if any: of a file, or of a folder. */
export function leftoverOf(name: string, of: 'file' | 'folder' = 'file'): Leftover | undefined {
  return KINDS.find((kind) => (of === 'file' || 'folders' in kind) && kind.names.test(name))?.what;
}
