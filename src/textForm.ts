import type { Place } from './errors.ts';

/**
 * The uses of the operator's text files. Other programs read each kind, which decides what forms of text from other systems can
 * be corrected and what is refused.
 */
export type TextKind = 'script' | 'hosts' | 'hostname' | 'template' | 'secret' | 'yaml' | 'table';

type Rule = {
  /** The noun for messages. */
  readonly what: string;
  /** UTF-16 with a byte order mark: read, or refused because no other reader of the file would accept it. */
  readonly utf16: 'read' | 'refused';
  /** CR LF at line ends: made LF, or kept because the reader accepts it and edits keep the file's own. */
  readonly crlf: 'made LF' | 'kept';
  /** The end of the last line. */
  readonly end: 'added' | 'dropped' | 'kept';
  /** A byte order mark or NUL inside the text, which comes from concatenated files or a wrong encoding. */
  readonly innerMark: 'refused' | 'kept';
  /** Blank lines before `#!` are dropped, and a first line that names no program is refused. */
  readonly interpreter: boolean;
};

/**
 * What happens to text from other systems, for all kinds: a byte order mark at the start is dropped, CR alone ends a line if the
 * file has no other line end, and what is not text (NUL, bytes that are not UTF-8, CR within a line) is refused.
 */
const RULES: { readonly [kind in TextKind]: Rule } = {
  script: rule('a script', { end: 'added', interpreter: true }),
  hosts: rule('/etc/hosts', { end: 'added' }),
  hostname: rule('/etc/hostname', { end: 'added' }),
  // As Jinja2 does.
  template: rule('a template', { innerMark: 'kept' }),
  secret: rule('a secret', { end: 'dropped' }),
  yaml: rule('YAML', { crlf: 'kept', innerMark: 'kept' }),
  table: rule('a table', { utf16: 'read', crlf: 'kept' }),
};

function rule(what: string, differs: Partial<Rule>): Rule {
  return {
    what,
    utf16: 'refused',
    crlf: 'made LF',
    end: 'kept',
    innerMark: 'refused',
    interpreter: false,
    ...differs,
  };
}

/** The fault in a text, its place (line and column from 1), and the remedy. */
export type TextProblem = Pick<Place, 'line' | 'col'> & { readonly message: string; readonly hint: string };

/** A corrected text, or why it is refused. */
export type FormedText = { readonly text: string } | { readonly problem: TextProblem };

const SAVE_AS_UTF8 = 'save it as UTF-8';

/** Reads the bytes of a file of that kind. */
export function formedText(kind: TextKind, bytes: Uint8Array): FormedText {
  const rules = RULES[kind];
  const decoded = decode(rules, bytes);
  return 'problem' in decoded ? decoded : formed(rules, decoded.text);
}

function decode(rules: Rule, bytes: Uint8Array): FormedText {
  const utf16 = utf16Of(bytes);
  if (utf16 && (rules.utf16 === 'refused' || !utf16.marked)) {
    return wrong(1, 1, `${rules.what} has to be UTF-8, this is UTF-16`, SAVE_AS_UTF8);
  }
  if (utf16) return { text: new TextDecoder(utf16.encoding).decode(bytes) };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const odd = text.includes('\ufffd') ? firstDifference(Buffer.from(text), bytes) : -1;
  if (odd >= 0) {
    const before = Buffer.from(bytes.subarray(0, odd)).toString('utf8');
    return wrongAt(before, before.length, `this is not UTF-8 text (byte 0x${hex(bytes[odd] ?? 0)})`, SAVE_AS_UTF8);
  }
  return { text: text.replace(/^\ufeff/, '') };
}

function formed(rules: Rule, raw: string): FormedText {
  const nul = raw.indexOf('\0');
  if (nul >= 0) return wrongAt(raw, nul, `a NUL byte stands here: ${rules.what} has none`, 'is this the right file?');
  let text = raw.includes('\n') ? raw : raw.replaceAll('\r', '\n');
  if (text.includes('\r')) {
    // Text that went through such a conversion twice has two.
    if (rules.crlf === 'made LF') text = text.replace(/\r+\n/g, '\n').replace(/\r$/, '\n');
    const lone = text.search(/\r(?!\r*\n)/);
    if (lone >= 0) {
      return wrongAt(
        text,
        lone,
        'a carriage return stands within this line',
        'end lines with LF, as Unix does (dos2unix)',
      );
    }
  }
  const mark = rules.innerMark === 'refused' ? text.indexOf('\ufeff') : -1;
  if (mark >= 0) {
    const hint = 'it comes from files that were put together: delete the character, which editors do not show';
    return wrongAt(text, mark, 'a byte order mark (U+FEFF) stands within the text', hint);
  }
  if (rules.interpreter) {
    const named = withInterpreter(text);
    if ('problem' in named) return named;
    text = named.text;
  }
  if (rules.end === 'dropped') text = text.replace(/\n+$/, '');
  else if (rules.end === 'added' && text !== '' && !text.endsWith('\n')) text += '\n';
  return { text };
}

/** A script whose `#!` comes first, if it has one: anywhere else it is a comment, and `sh` runs the script. */
function withInterpreter(text: string): FormedText {
  const [blank = ''] = /^\s*(?=#!)/.exec(text) ?? [];
  const script = text.slice(blank.length);
  const late = /^(?:[ \t]*(?:#.*)?\n)+#!(?=\/)/.exec(script);
  if (late && !script.startsWith('#!')) {
    const hint = 'only in the first line it says what runs the script: move it there';
    return wrongAt(script, late[0].length - 2, '#! stands behind other lines', hint);
  }
  const line = /^#![ \t]*(\S*)/.exec(script);
  if (line && !line[1]?.startsWith('/')) {
    return wrong(1, 1, '#! names no program', 'write its absolute path, such as #!/bin/sh');
  }
  return { text: script };
}

/**
 * What prevents an executable file from running although it is written byte for byte: a `#!` that the kernel does not find, or a
 * program name that ends in a carriage return.
 */
export function interpreterProblem(bytes: Uint8Array): TextProblem | undefined {
  const head = Buffer.from(bytes.subarray(0, LONGEST_HEAD)).toString('utf8');
  const [, before = '', line = ''] = /^(\ufeff?)(#!.*)/.exec(head) ?? [];
  const hint = 'files are written byte for byte: save it with LF at the ends of lines and without a byte order mark';
  if (line === '') return undefined;
  if (before !== '') return { line: 1, col: 1, message: 'a byte order mark stands before #!', hint };
  if (head[line.length] === '\r') {
    return { line: 1, col: line.length + 1, message: 'the line of #! ends in a carriage return', hint };
  }
  return undefined;
}

const LONGEST_HEAD = 512;

/** UTF-16 by its byte order mark, or by every other byte of its beginning being zero. */
function utf16Of(
  bytes: Uint8Array,
): { readonly encoding: 'utf-16le' | 'utf-16be'; readonly marked: boolean } | undefined {
  const [a, b] = bytes;
  if (a === 0xff && b === 0xfe) return { encoding: 'utf-16le', marked: true };
  if (a === 0xfe && b === 0xff) return { encoding: 'utf-16be', marked: true };
  const head = bytes.subarray(0, 64);
  if (head.length < 4) return undefined;
  const every = (zero: number) => head.every((byte, i) => (byte === 0) === (i % 2 === zero));
  return every(1)
    ? { encoding: 'utf-16le', marked: false }
    : every(0)
      ? { encoding: 'utf-16be', marked: false }
      : undefined;
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const most = Math.max(a.length, b.length);
  for (let i = 0; i < most; i++) if (a[i] !== b[i]) return i;
  return -1;
}

function wrong(line: number, col: number, message: string, hint: string): { readonly problem: TextProblem } {
  return { problem: { line, col, message, hint } };
}

function wrongAt(text: string, at: number, message: string, hint: string): { readonly problem: TextProblem } {
  const before = text.slice(0, at);
  const line = before.split(/\r*\n|\r/).length;
  const start = Math.max(before.lastIndexOf('\n'), before.lastIndexOf('\r')) + 1;
  return wrong(line, at - start + 1, message, hint);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
