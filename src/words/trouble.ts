import { formatIpv4 } from '../model/ipv4.ts';
import type { MisplacedLeases, NotedTrouble, Trouble } from '../model/trouble.ts';
import { unsentWords } from './dhcp.ts';
import { count } from './units.ts';

/** What is wrong, in a sentence. */
export function serverTroubleText(trouble: Trouble): string {
  if (!('message' in trouble)) return notedText(trouble);
  return trouble.hint === undefined ? trouble.message : `${trouble.message}: ${trouble.hint}`;
}

function notedText(trouble: NotedTrouble): string {
  switch (trouble.code) {
    case 'EVENTS_DROPPED':
      return `${count(trouble.count, 'event')} not kept: too many at once`;
    case 'LOG_LOST':
      return `${count(trouble.count, 'log message')} lost: ${trouble.to} ${LOST[trouble.cause] ?? trouble.cause}`;
    case 'REPLY_UNSENT':
      return `${count(trouble.count, 'DHCP reply', 'DHCP replies')} not sent: ${formatIpv4(trouble.to)}: ${unsentWords(trouble.cause)}`;
    case 'REQUESTS_DROPPED':
      return `${count(trouble.count, 'DHCP request')} of machines that the site does not list dropped on ${trouble.interface}: more come than can be answered`;
    case 'LEASES_MISPLACED':
      return misplacedText(trouble);
    case 'TFTP_BUSY':
      return `${count(trouble.count, 'TFTP request')} had to wait: the last from ${formatIpv4(trouble.from)}`;
    case 'TFTP_DESCRIPTORS':
      return `${count(trouble.count, 'TFTP request')} had to wait for a file descriptor: the last from ${formatIpv4(trouble.from)}`;
    case 'TFTP_UNLISTED':
      return `${count(trouble.count, 'TFTP request')} that came to nothing not reported one by one: the last from ${formatIpv4(trouble.from)}`;
    case 'TFTP_LISTEN':
      return `${count(trouble.count, 'error')} of TFTP sockets: ${trouble.cause}`;
    case 'DISK_FULL':
      return 'the disk is full: room that was kept for leases is given up for their records. Make room';
    case 'DISK_HAS_ROOM':
      return 'the disk has room again: some of it is kept for leases';
    case 'STATE_GONE':
      return `${trouble.file} was gone: a new one was made`;
    case 'STATE_AVAILABLE':
      return `${trouble.file} is written again`;
    case 'STATE_LOST':
      return `what was last written to ${trouble.file} is lost with ${trouble.file}-wal`;
    case 'STATE_CHANGED':
      return `${trouble.file} was ${trouble.how} by another program`;
    case 'STATE_REBUILT': {
      const { file, incomplete, damaged } = trouble;
      const missing = incomplete.length === 0 ? '' : `; not all could be read of: ${incomplete.join(', ')}`;
      return `${file} was damaged, and was made anew of what it said${missing}. The damaged one is ${damaged}`;
    }
    case 'STATE_DAMAGED': {
      const { table, rows } = trouble;
      const more = trouble.count > rows.length ? `, and ${trouble.count - rows.length} more` : '';
      return `the state's table ${table} has rows that cannot be read: ${rows.join(', ')}${more}`;
    }
  }
}

/** Why a daemon of logs did not take a message. */
const LOST: { readonly [code: string]: string } = {
  EAGAIN: 'does not keep up',
  ENOENT: 'is not there',
  ECONNREFUSED: 'has no listener',
  EACCES: 'may not be written to',
};

function misplacedText({ nowhere, unlent }: NotedTrouble & { readonly code: 'LEASES_MISPLACED' }): string {
  const parts = [
    misplaced(nowhere, 'in no network of the site', 'they are kept, and count again with such a network'),
    misplaced(unlent, 'that no pool lends any more', 'their machines are refused when they renew'),
  ];
  return parts.filter((part) => part !== '').join('; ');
}

function misplaced({ count: all, first }: MisplacedLeases, where: string, so: string): string {
  if (first === undefined) return '';
  const others = all === 1 ? '' : ` and ${all - 1} more`;
  const counted = all === 1 ? 'a lease runs' : `${all} leases run`;
  return `${counted} for addresses ${where} (${formatIpv4(first.ip)} of ${first.mac}${others}): ${so}`;
}
