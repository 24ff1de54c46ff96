// What pxelinux 6 and its menu.c32 boot where no key is pressed, found by a way of its own, without the import: files are
// written into one another first, and then one line after the other changes a machine of plain values.
import type { SiteFiles } from '../../site/testing/folderFixture.ts';

/** The command that boots: a kernel's path and its words, or `local`; `undefined` where nothing does. */
export type Booted = string | undefined;

type Row = { name?: string; command?: string; isOff: boolean; goesTo?: string };
type List = {
  tag: string;
  up: List | undefined;
  upRow: number;
  rows: Row[];
  chosen: number;
  time: number;
  late: string | undefined;
};

/** What a machine boots from `tftp/pxelinux.cfg/default`. */
export function bootedBy(files: SiteFiles): Booted {
  return prompt('tftp/pxelinux.cfg/default', files, 0);
}

function prompt(file: string, files: SiteFiles, depth: number): Booted {
  if (depth > 8) return undefined;
  const lines = flat([file], files);
  const last = (key: string) => lines.findLast(([first]) => first === key)?.[1];
  const ui = last('ui');
  const command = ui ?? last('default');
  const waits = ui === undefined && number(last('prompt')) !== 0 && number(last('noescape')) === 0;
  if (command !== undefined && !waits) return run(command, 'prompt', [file], file, files, depth);
  if (number(last('noescape')) !== 0 || (number(last('timeout')) === 0 && number(last('totaltimeout')) === 0))
    return undefined;
  const late = last('ontimeout') ?? command;
  return late === undefined ? undefined : run(late, 'prompt', [file], file, files, depth);
}

function run(
  command: string,
  by: 'prompt' | 'menu',
  read: string[],
  main: string,
  files: SiteFiles,
  depth: number,
): Booted {
  const [first = '', ...more] = command.split(' ');
  const row = machine(flat(read, files)).all.find(
    ({ name, isOff }) => !isOff && name !== undefined && (by === 'menu' ? name : name.split(' ')[0]) === first,
  );
  if (row) return row.command === undefined ? undefined : execute([row.command, ...more].join(' '), main, files, depth);
  if (by === 'prompt' && number(flat(read, files).findLast(([key]) => key === 'implicit')?.[1] ?? '1') === 0)
    return undefined;
  return execute(command, main, files, depth);
}

function execute(command: string, main: string, files: SiteFiles, depth: number): Booted {
  if (depth > 8) return undefined;
  const [program = '', ...args] = command.split(' ').filter((word) => word !== '');
  if (program === '.localboot') return 'local';
  if (program === '.config') return prompt(`tftp/${args[0]}`, files, depth + 1);
  if (program === 'menu.c32')
    return menu(
      args.length === 0 ? [main] : args.map((arg) => (arg === '~' ? main : `tftp/${arg}`)),
      main,
      files,
      depth + 1,
    );
  return /\.c32$/.test(program) || files[`tftp/${program}`] === undefined ? undefined : [program, ...args].join(' ');
}

function menu(read: string[], main: string, files: SiteFiles, depth: number): Booted {
  const lines = flat(read, files);
  const { lists, all, start, total, isShift, isHidden } = machine(lines);
  let list = start;
  const named = lines.findLast(([key]) => key === 'default')?.[1]?.split(' ')[0];
  if (named !== undefined && lines.some(([key]) => key === 'ui')) {
    const row = all.find(({ name, isOff }) => !isOff && name === named);
    const its = lists.find(({ tag, rows }) => tag !== '.hidden' && row !== undefined && rows.includes(row));
    if (its && row) {
      its.chosen = its.rows.indexOf(row);
      list = its;
    }
  }
  if (list.rows.length === 0) return undefined;
  const isOff = (at: number) => {
    const row = list.rows[at];
    return (
      row !== undefined && (row.isOff || (row.goesTo !== undefined && !lists.some(({ tag }) => tag === row.goesTo)))
    );
  };
  let at = list.chosen;
  if (at === 0) while (at < list.rows.length && isOff(at)) at += 1;
  if (at >= list.rows.length - 1) for (at = list.rows.length - 1; at > 0 && isOff(at); ) at -= 1;
  const chosen = list.rows[list.chosen]?.command;
  const start_ = (command: string | undefined) =>
    command === undefined ? undefined : execute(command, main, files, depth);
  if (isShift) return start_(chosen);
  const ticks = at !== list.chosen && !isHidden ? 0 : list.time;
  if (ticks === 0 && total === 0) return undefined;
  return list.late === undefined ? start_(chosen) : run(list.late, 'menu', read, main, files, depth);
}

/** Lines as keyword and rest, included files in their place. */
function flat(read: string[], files: SiteFiles): [string, string][] {
  return read.flatMap((file) =>
    (files[file] ?? '').split('\n').flatMap((line): [string, string][] => {
      const [, key = '', rest = ''] = /^\s*(\S+)\s*(.*)$/.exec(line) ?? [];
      const menu = /^include (\S+)(?: (.*))?$/i.exec(key.toLowerCase() === 'menu' ? rest : `${key} ${rest}`);
      if (menu === null) return [[key.toLowerCase(), rest]];
      const inner = flat([`tftp/${menu[1]}`], files);
      return menu[2] && key.toLowerCase() === 'menu'
        ? [['menu', `begin ${menu[2]}`], ...inner, ['menu', 'end']]
        : inner;
    }),
  );
}

function machine(lines: readonly [string, string][]) {
  const root: List = { tag: '.top', up: undefined, upRow: 0, rows: [], chosen: 0, time: 0, late: undefined };
  const hidden: List = { ...root, tag: '.hidden', rows: [] };
  const [lists, all]: [List[], Row[]] = [[root, hidden], []];
  let [list, start, total, isShift, isHidden] = [root, root, 0, false, false];
  let words: { [key: string]: string } | undefined;
  const done = () => {
    if (words === undefined) return;
    const { name = '', kernel = name, append = '', way } = words;
    const into = words.hide === undefined ? list : hidden;
    const isOff = words.disable !== undefined;
    const row: Row = { name, isOff };
    if (way === undefined && !isOff) row.command = `${kernel} ${append}`.trim();
    if (words.goesTo) row.goesTo = words.goesTo;
    into.rows.push(row);
    all.push(row);
    if (words.default !== undefined && !isOff && (way === undefined || way === 'goto'))
      into.chosen = into.rows.length - 1;
    words = undefined;
  };
  for (const [key, rest] of lines) {
    if (key === 'label') {
      done();
      words = { name: rest };
    } else if (['kernel', 'localboot', 'config'].includes(key)) {
      if (words) words.kernel = key === 'kernel' ? rest : `.${key} ${rest}`;
    } else if (key === 'append') {
      if (words) words.append = rest;
    } else if (key === 'timeout') list.time = number(rest);
    else if (key === 'ontimeout') list.late = rest;
    else if (key === 'totaltimeout') total = number(rest);
    else if (key === 'menu') {
      const [word = '', value = ''] = [rest.split(' ')[0]?.toLowerCase(), rest.split(' ').slice(1).join(' ')];
      if (word === 'begin') {
        done();
        const inner: List = { ...list, tag: value, up: list, upRow: list.rows.length, rows: [], chosen: 0 };
        list.rows.push({ isOff: false });
        lists.push(inner);
        list = inner;
      } else if (word === 'end') {
        done();
        list = list.up ?? list;
      } else if (word === 'separator') {
        done();
        list.rows.push({ isOff: true });
      } else if (word === 'default' && words === undefined) {
        if (list.up) list.up.chosen = list.upRow;
      } else if (word === 'start') start = list;
      else if (word === 'shiftkey') isShift = true;
      else if (word === 'hidden') isHidden = true;
      else if (words && ['quit', 'goto', 'exit'].includes(word) && (word !== 'exit' || list.up)) {
        words.way = word;
        words.goesTo = value;
      } else if (words && ['hide', 'disable', 'default'].includes(word)) words[word] = '';
    }
  }
  done();
  return { lists, all, start, total, isShift, isHidden };
}

function number(text = '0'): number {
  return Number.parseInt(text, 10) || 0;
}
