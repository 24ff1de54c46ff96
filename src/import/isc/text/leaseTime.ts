import { invalid } from '../../invalid.ts';
import type { Cursor } from './cursor.ts';
import { readDatum } from './data.ts';

/**
 * Reads a time of dhcpd.leases(5), as milliseconds since the epoch: `4 2030/08/24 09:14:32` (weekday, date and time of day
 * in UTC, perhaps with an offset in seconds behind), `epoch 1913793272`, or `never` (Infinity). Throws IMPORT_INVALID.
 */
export function leaseTime(cursor: Cursor): number {
  const { place } = cursor.peek();
  if (cursor.skip('never')) return Number.POSITIVE_INFINITY;
  const epoch = cursor.skip('epoch');
  const first = readDatum(cursor, 'a time').text;
  if (epoch || cursor.at(';')) {
    if (!/^\d{1,12}$/.test(first)) throw invalid(place, `expected seconds since 1970, found "${first}"`);
    return Number(first) * 1000;
  }
  const date = readDatum(cursor, 'a date such as 2030/08/24').text;
  const time = readDatum(cursor, 'a time of day such as 09:14:32').text;
  const offset = cursor.at(';') ? '0' : readDatum(cursor, 'an offset in seconds').text;
  const parts = /^(\d{4})\/(\d{1,2})\/(\d{1,2}) (\d{1,2}):(\d{1,2}):(\d{1,2})$/.exec(`${date} ${time}`);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = (parts ?? []).slice(1).map(Number);
  if (parts === null || month < 1 || month > 12 || day < 1 || day > 31 || !/^-?\d{1,6}$/.test(offset)) {
    throw invalid(place, `expected a time such as "4 2030/08/24 09:14:32", found "${first} ${date} ${time}"`);
  }
  return Date.UTC(year, month - 1, day, hour, minute, second) + Number(offset) * 1000;
}
