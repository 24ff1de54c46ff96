import type { Event } from '../model/event.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import { escapeUnsafe, plainLine } from '../plainText.ts';
import { describeEvent, eventJson } from '../words/event.ts';
import { formatBytes, formatMs } from '../words/units.ts';
import { SEVERITY, type Severity } from './facility.ts';

/**
 * An event as one line of a log. Messages of DHCP and TFTP have the words and the order of fields that dhcpd and tftpd
 * give them, so that what searches for those finds these: `DHCPACK on 10.0.0.51 to 52:54:00:00:00:51 (node01) via br0`.
 */
export function logLine(event: Event): string {
  return oneLine(lineOf(event));
}

/** How grave an event is. */
export function severityOf(event: Event): Severity {
  switch (event.kind) {
    case 'server.trouble':
    case 'server.fault':
    case 'site.rejected':
    case 'network.lost':
      return SEVERITY.error;
    case 'dhcp.nak':
    case 'dhcp.decline':
    case 'dhcp.refused':
    case 'dhcp.other-server':
    case 'dhcp.option-left':
    case 'dhcp.wrong-network':
    case 'server.restarted':
    case 'server.clock':
    case 'events.limited':
    case 'packets.malformed':
    case 'audit.refused':
    case 'tftp.failed':
    case 'http.failed':
      return SEVERITY.warning;
    case 'node.step':
      return event.status === 'failed' ? SEVERITY.error : SEVERITY.info;
    case 'site.loaded':
    case 'server.started':
    case 'server.api':
    case 'audit.change':
    case 'network.heard':
    case 'image.changed':
      return SEVERITY.notice;
    default:
      return SEVERITY.info;
  }
}

/** An event as one line of JSON: the time in ISO 8601, addresses in dotted form, all other fields as they are. */
export function jsonLine(event: Event): string {
  const dotted = (key: string, value: unknown): unknown =>
    typeof value === 'number' && ADDRESSES.has(key) ? formatIpv4(value as never) : value;
  return escapeUnsafe(
    JSON.stringify({ time: new Date(event.at).toISOString(), ...eventJson(event), at: undefined }, dotted),
  );
}

const ADDRESSES: ReadonlySet<string> = new Set(['ip', 'server', 'requested', 'chosen', 'to', 'from']);

function lineOf(event: Event): string {
  const ip = event.ip === undefined ? undefined : formatIpv4(event.ip);
  switch (event.kind) {
    case 'dhcp.discover':
      return `DHCPDISCOVER from ${client(event)}${via(event)}`;
    case 'dhcp.offer':
      return `DHCPOFFER on ${ip} to ${client(event)}${via(event)}`;
    case 'dhcp.request': {
      const asked = event.requested === undefined ? '' : ` for ${formatIpv4(event.requested)}`;
      const server = event.chosen === undefined ? '' : ` (${formatIpv4(event.chosen)})`;
      return `DHCPREQUEST${asked}${server} from ${client(event)}${via(event)}`;
    }
    case 'dhcp.ack':
      if (event.bootp) return `BOOTREPLY for ${ip} to ${event.node ?? 'unknown'} (${event.mac})${via(event)}`;
      return event.informs
        ? `DHCPACK to ${ip} (${event.mac})${via(event)}`
        : `DHCPACK on ${ip} to ${client(event)}${via(event)}`;
    case 'dhcp.nak': {
      const asked = event.requested === undefined ? '' : ` on ${formatIpv4(event.requested)}`;
      return `DHCPNAK${asked} to ${client(event)}${via(event)}${because(event)}`;
    }
    case 'dhcp.decline':
      return `DHCPDECLINE of ${ip} from ${client(event)}${via(event)}: abandoned`;
    case 'dhcp.release':
      return `DHCPRELEASE of ${ip} from ${client(event)}${via(event)} (found)`;
    case 'dhcp.inform':
      return `DHCPINFORM from ${event.requested === undefined ? client(event) : formatIpv4(event.requested)}${via(event)}`;
    case 'dhcp.refused':
      return `no answer to ${event.mac}${via(event)}: ${event.reason}${event.count === undefined ? '' : ` (${event.count} requests)`}`;
    case 'dhcp.other-server':
      return `DHCPREQUEST from ${event.mac}: it chose another server, ${formatIpv4(event.server)}`;
    case 'tftp.sent':
      return `RRQ from ${ip} filename ${event.file} (${sent(event)})`;
    case 'tftp.missing':
      return `RRQ from ${ip} filename ${event.file}: sending NAK (1, File not found) to ${ip}`;
    case 'tftp.failed':
      return `RRQ from ${ip} filename ${event.file}: failed after ${formatBytes(event.bytes)}: ${event.reason}`;
    case 'http.sent':
      return `GET from ${ip} filename ${event.file} (${sent(event)})`;
    case 'http.missing':
      return `GET from ${ip} filename ${event.file}: not found`;
    case 'http.failed':
      return `GET from ${ip} filename ${event.file}: failed after ${formatBytes(event.bytes)}: ${event.reason}`;
    default: {
      const who = event.node ?? event.mac;
      return who === undefined ? describeEvent(event) : `${who}: ${describeEvent(event)}`;
    }
  }
}

/** `52:54:00:00:00:51 (node01)`: the name that the machine gives itself, else what the site calls it. */
function client({ mac, node, hostname }: Event & { readonly hostname?: string }): string {
  const name = hostname ?? node;
  return name === undefined ? `${mac}` : `${mac} (${name})`;
}

function via(event: { readonly via?: string }): string {
  return event.via === undefined ? '' : ` via ${event.via}`;
}

function because({ reason }: { readonly reason?: string }): string {
  return reason === undefined ? '' : `: ${reason}`;
}

function sent({ bytes, ms }: { readonly bytes: number; readonly ms: number }): string {
  return `${formatBytes(bytes)} in ${formatMs(ms)}`;
}

/** Names come from the wire: none of them may begin another line. */
function oneLine(text: string): string {
  return plainLine(text);
}
