import { formatPlace, type Place } from '../errors.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from '../model/ipv4.ts';
import { type Mac, parseAnyMac } from '../model/mac.ts';
import type { Var } from '../model/node.ts';
import { quoted, suggestion } from '../site/finding.ts';
import { NODE_NAME_PATTERN } from '../site/forms.ts';
import { type Cell, readCsv } from './csv.ts';
import { invalid, Problems } from './invalid.ts';

/** One machine of a table. `ip: 'next'` stands for the next free address. */
export type TableNode = {
  readonly place: Place;
  readonly name: string;
  readonly macs: readonly Mac[];
  readonly ip?: Ipv4 | 'next';
  readonly profiles: readonly string[];
  readonly vars: { readonly [name: string]: Var };
};

/** What a column may be called, and what it means. */
const COLUMNS = {
  name: 'name',
  node: 'name',
  host: 'name',
  hostname: 'name',
  mac: 'mac',
  macs: 'mac',
  'mac address': 'mac',
  ip: 'ip',
  address: 'ip',
  'ip address': 'ip',
  profile: 'profiles',
  profiles: 'profiles',
} as const;
type Column = (typeof COLUMNS)[keyof typeof COLUMNS] | `vars.${string}`;

const MOST_ROWS = 100_000;

/**
 * Reads a table of machines (CSV): a row of headings, `name`, `mac`, `ip`, `profiles` and any `vars.NAME`, or without
 * headings the columns name, MAC, address. MAC addresses in every usual spelling, several between blanks. Throws
 * IMPORT_INVALID with all that is wrong, each with file:line:col.
 */
export function readNodeTable(file: string, text: string): readonly TableNode[] {
  const problems = new Problems();
  const rows = readCsv(file, text, problems);
  const [first] = rows;
  if (first === undefined) throw invalid({ file, line: 1, col: 1 }, 'the table is empty');
  if (rows.length > MOST_ROWS) throw invalid({ file, line: MOST_ROWS, col: 1 }, `more than ${MOST_ROWS} machines`);

  const headless = first.some(({ text }) => parseAnyMac(text) !== undefined);
  const columns: readonly (Column | undefined)[] = headless
    ? ['name', 'mac', 'ip']
    : readHeadings(file, first, problems);
  const claims = new Map<string, Place>();
  const nodes = (headless ? rows : rows.slice(1)).map((row) => readRow(file, row, columns, claims, problems));
  problems.throwAll();
  return nodes;
}

function readHeadings(file: string, row: readonly Cell[], problems: Problems): readonly (Column | undefined)[] {
  const columns = row.map((cell): Column | undefined => {
    const heading = cell.text.trim();
    if (/^vars\.[A-Za-z_][A-Za-z0-9_]*$/.test(heading)) return heading as Column;
    const known = heading.toLowerCase();
    if (Object.hasOwn(COLUMNS, known)) return COLUMNS[known as keyof typeof COLUMNS];
    const hint = suggestion(known, [...Object.keys(COLUMNS), 'vars.NAME'], 'columns');
    problems.add(invalid({ file, line: cell.line, col: cell.col }, `unknown column ${quoted(heading)}`, hint));
    return undefined;
  });
  const [{ line, col } = { line: 1, col: 1 }] = row;
  for (const needed of ['name', 'mac'] as const) {
    if (columns.includes(needed)) continue;
    const hint = 'the first line names the columns, such as name,mac,ip';
    problems.add(invalid({ file, line, col }, `there is no column "${needed}"`, hint));
  }
  for (const [i, column] of columns.entries()) {
    if (column === undefined || columns.indexOf(column) === i) continue;
    problems.add(invalid({ file, line, col: row[i]?.col ?? 1 }, `column "${column}" comes twice`));
  }
  return columns;
}

function readRow(
  file: string,
  row: readonly Cell[],
  columns: readonly (Column | undefined)[],
  claims: Map<string, Place>,
  problems: Problems,
): TableNode {
  const placeOf = ({ line, col }: Cell): Place => ({ file, line, col });
  const start = row[0] ? placeOf(row[0]) : { file, line: 1, col: 1 };
  for (const extra of row.slice(columns.length)) {
    if (extra.text !== '') problems.add(invalid(placeOf(extra), 'a cell too many: no column is named for it'));
  }
  const cellOf = (column: Column): Cell | undefined => {
    const cell = row[columns.indexOf(column)];
    return cell === undefined || cell.text.trim() === '' ? undefined : cell;
  };
  const claim = (what: string, value: string, cell: Cell): void => {
    const key = `${what} ${value.toLowerCase()}`;
    const earlier = claims.get(key);
    if (earlier) problems.add(invalid(placeOf(cell), `${what} ${value} stands in ${formatPlace(earlier)} already`));
    else claims.set(key, placeOf(cell));
  };

  const nameCell = cellOf('name');
  const name = nameCell?.text.trim() ?? '';
  if (nameCell === undefined) problems.add(invalid(start, 'this machine has no name'));
  else if (!NODE_NAME_PATTERN.test(name)) {
    const hint = 'a host name has letters, digits and inner hyphens, 63 at most (RFC 1123)';
    problems.add(invalid(placeOf(nameCell), `${quoted(name)} cannot name a node`, hint));
  } else claim('name', name, nameCell);

  const macCell = cellOf('mac');
  if (macCell === undefined) problems.add(invalid(start, 'this machine has no MAC address'));
  const macs = macCell === undefined ? [] : readMacs(macCell, placeOf(macCell), problems);
  for (const mac of macs) if (macCell) claim('MAC address', mac, macCell);

  const ipCell = cellOf('ip');
  const ip = ipCell && (ipCell.text.trim() === 'next' ? 'next' : parseIpv4(ipCell.text.trim()));
  if (ipCell && ip === undefined)
    problems.add(invalid(placeOf(ipCell), `${quoted(ipCell.text)} is not an IPv4 address`));
  if (ipCell && typeof ip === 'number') claim('address', formatIpv4(ip), ipCell);

  const profiles =
    cellOf('profiles')
      ?.text.split(/[\s,;]+/)
      .filter((profile) => profile !== '') ?? [];
  const vars = columns.flatMap((column, i) => {
    const text = row[i]?.text.trim() ?? '';
    return column?.startsWith('vars.') && text !== '' ? [[column.slice('vars.'.length), varOf(text)] as const] : [];
  });
  return { place: start, name, macs, ...(ip === undefined ? {} : { ip }), profiles, vars: Object.fromEntries(vars) };
}

/** One in any spelling, blanks within it included, or several between blanks. */
function readMacs({ text }: Cell, place: Place, problems: Problems): readonly Mac[] {
  const whole = parseAnyMac(text);
  if (whole !== undefined) return [whole];
  return text
    .split(/[\s,;]+/)
    .filter((part) => part !== '')
    .flatMap((part) => {
      const mac = parseAnyMac(part);
      if (mac === undefined) {
        problems.add(
          invalid(place, `${quoted(part)} is not a MAC address`, 'such as 52:54:00:00:00:51 or 525400000051'),
        );
      }
      return mac ?? [];
    });
}

/** Whole numbers and true or false mean what YAML would take them for, anything else is text. */
function varOf(text: string): Var {
  if (/^(0|-?[1-9][0-9]{0,14})$/.test(text)) return Number(text);
  return text === 'true' ? true : text === 'false' ? false : text;
}
