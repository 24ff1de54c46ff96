import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second: of all Linux systems that Node.js runs on. */
const TICKS = 100;

type Process = { readonly pid: number; readonly parent: number; readonly ticks: number };

/** Processor time of a process and its descendants, those that ended and were waited for included, in seconds. */
export function processorSeconds(pid: number): number {
  return familyOf(pid).reduce((sum, { ticks }) => sum + ticks, 0) / TICKS;
}

/** Memory of a process and its descendants: the sum of their proportional shares (Pss), in bytes. */
export function residentBytes(pid: number): number {
  return familyOf(pid).reduce((sum, { pid: one }) => {
    const [, kibibytes = '0'] = /^Pss:\s+([0-9]+) kB$/m.exec(read(`/proc/${one}/smaps_rollup`)) ?? [];
    return sum + Number(kibibytes) * 1024;
  }, 0);
}

function familyOf(pid: number): readonly Process[] {
  const all = readdirSync('/proc').flatMap((name): Process[] => {
    if (!/^[0-9]+$/.test(name)) return [];
    // The name of the program, in brackets, may hold anything.
    const stat = read(`/proc/${name}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields.length < 15) return [];
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return [{ pid: Number(name), parent: Number(fields[1]), ticks }];
  });
  const family = all.filter((one) => one.pid === pid);
  for (const { pid: parent } of family) family.push(...all.filter((one) => one.parent === parent));
  return family;
}

/** A file of a process; empty where it has ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
