import { FACILITIES, type Facility, type Severity } from './facility.ts';

/** One message to a syslog daemon. `at` is milliseconds since the epoch. */
export type SyslogMessage = {
  readonly at: number;
  readonly facility: Facility;
  readonly severity: Severity;
  readonly pid: number;
  /** What kind of message it is, for RFC 5424: one word. */
  readonly kind: string;
  readonly text: string;
};

/** Every syslog daemon takes this much (RFC 5424, section 6.1). */
const LONGEST = 2048;
const TAG = 'reveille';
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** As programs write to /dev/log: RFC 3164 without the host's name, in local time. Cut at 2,048 bytes. */
export function localSyslog({ at, facility, severity, pid, text }: SyslogMessage): Uint8Array {
  const time = new Date(at);
  const two = (n: number): string => String(n).padStart(2, '0');
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  const stamp = `${MONTHS[time.getMonth()]} ${String(time.getDate()).padStart(2)} ${clock}`;
  return cut(`<${priority(facility, severity)}>${stamp} ${TAG}[${pid}]: ${text}`);
}

/** As RFC 5424 has it, for another machine. Cut at 2,048 bytes. */
export function remoteSyslog({ at, facility, severity, pid, kind, text }: SyslogMessage, host: string): Uint8Array {
  const stamp = new Date(at).toISOString();
  return cut(`<${priority(facility, severity)}>1 ${stamp} ${host} ${TAG} ${pid} ${kind} - ${text}`);
}

function priority(facility: Facility, severity: Severity): number {
  return FACILITIES.indexOf(facility) * 8 + severity;
}

/** A character that would be cut in half goes as a whole. */
function cut(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  if (bytes.length <= LONGEST) return bytes;
  let end = LONGEST;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
