import type { Event, ServedAs } from '../model/event.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import { plainLine } from '../plainText.ts';
import { noteText } from './roll.ts';
import { standingHint, standingText } from './standing.ts';
import { agentStepName } from './step.ts';
import { serverTroubleText } from './trouble.ts';
import { count, formatBytes, formatMs, formatOff, shortenHashes } from './units.ts';

/** One event as a line for people: what happened, without the time and the machine, which stand in columns of their own. */
export function describeEvent(event: Event): string {
  return shortenHashes(plainLine(inWords(event)));
}

/** An event as programs are given it: codes and values, and the words that stand for them. */
export function eventJson(event: Event): object {
  switch (event.kind) {
    case 'node.step':
      return { ...event, step: agentStepName(event) };
    case 'cloud.standing': {
      const hint = standingHint(event);
      return { ...event, words: standingText(event), ...(hint === undefined ? {} : { hint }) };
    }
    case 'roll.step':
      return { ...event, words: noteText(event.note) };
    case 'server.trouble':
      return 'message' in event ? event : { ...event, message: serverTroubleText(event) };
    default:
      return event;
  }
}

/** Subjects that are no node and no address (EventBudget). */
const LIMITED: { readonly [subject: string]: string } = { '': 'the server', '*': 'other senders' };

function inWords(event: Event): string {
  switch (event.kind) {
    case 'dhcp.discover':
    case 'dhcp.offer':
    case 'dhcp.request':
    case 'dhcp.ack':
    case 'dhcp.nak':
    case 'dhcp.decline':
    case 'dhcp.release':
    case 'dhcp.inform': {
      const message = event.kind.slice('dhcp.'.length).toUpperCase();
      const parts = [
        event.kind === 'dhcp.ack' && event.bootp ? 'BOOTP REPLY' : `DHCP ${message}`,
        event.ip === undefined ? '' : formatIpv4(event.ip),
        `(${event.stage})`,
        'bootFile' in event ? `boots ${event.bootFile}` : '',
        'reason' in event ? `: ${event.reason}` : '',
      ];
      return parts.filter((part) => part !== '').join(' ');
    }
    case 'dhcp.refused':
      return `DHCP no answer: ${event.reason}${event.count === undefined ? '' : ` (${event.count} requests)`}`;
    case 'dhcp.option-left': {
      const option = `option ${event.option}${event.name === undefined ? '' : ` (${event.name})`}`;
      return `${option} of network ${event.network} does not fit the ${event.bytes} bytes that the client takes, and is left out`;
    }
    case 'dhcp.other-server':
      return `DHCP another server, ${formatIpv4(event.server)}, was chosen: is a second DHCP server on this wire?`;
    case 'dhcp.wrong-network':
      return `DHCP this MAC address asks on network ${event.network}; its node belongs to ${event.expected}`;
    case 'network.lost':
      return `network ${event.network} is not answered: ${lackWords(event)}`;
    case 'network.heard':
      return `network ${event.network} is answered again${event.interface === undefined ? '' : ` on ${event.interface}`}${asServer(event)}`;
    case 'packets.malformed':
      return `${event.service.toUpperCase()} ${event.count} malformed packets, the last: ${event.sample}`;
    case 'tftp.sent':
    case 'http.sent':
      return `${service(event.kind)} sent ${event.file}, ${formatBytes(event.bytes)} in ${formatMs(event.ms)}`;
    case 'tftp.missing':
    case 'http.missing':
      return `${service(event.kind)} no such file: ${event.file}`;
    case 'tftp.failed':
    case 'http.failed':
      return `${service(event.kind)} ${event.file} failed after ${formatBytes(event.bytes)}: ${event.reason}`;
    case 'node.step': {
      if (event.during === 'service')
        return `node ${agentStepName(event)} is ${event.detail ?? 'asked'}; it reported the end of its log`;
      const took = event.ms === undefined ? '' : ` in ${formatMs(event.ms)}`;
      const detail = event.detail === undefined ? '' : `: ${event.detail}`;
      return `node ${event.during === undefined ? '' : `${event.during}: `}${agentStepName(event)} ${event.status}${took}${detail}`;
    }
    case 'node.clock':
      return event.aheadMs === 0 ? 'clock is right again' : `clock is ${formatOff(event.aheadMs)} the server's`;
    case 'cloud.standing':
      return `cloud: ${standingText(event)}`;
    case 'roll.step': {
      const words = noteText(event.note);
      return `roll ${event.roll}: ${event.phase}${words === '' ? '' : `: ${words}`}`;
    }
    case 'site.loaded':
      return `site loaded: ${count(event.networks, 'network')}, ${count(event.nodes, 'node')}`;
    case 'site.rejected':
      return `site edit refused, the last good site keeps serving: ${event.errors.join('; ')}`;
    case 'image.changed':
      return `image ${event.image} is now ${event.sha256.slice(0, 12)}`;
    case 'server.started':
      return startedWords(event);
    case 'server.api':
      return `API on port ${event.port}, ${event.fingerprint === undefined ? 'without TLS' : `certificate sha256:${event.fingerprint}`}`;
    case 'audit.change':
      return `API: ${event.actor} (${event.role}) from ${event.from}: ${event.operation} ${event.values}: ${event.outcome}`;
    case 'audit.refused':
      return `API refused ${count(event.count, 'request')} from ${event.from}${event.actor === undefined ? '' : ` of ${event.actor}`}: ${event.code}`;
    case 'server.fault':
      return `an exception in ${event.service} was contained (${count(event.count, 'time')}): ${event.message}`;
    case 'server.restarted':
      return `${event.service} was restarted after an exception`;
    case 'server.clock':
      return `the server's clock was set ${formatMs(Math.abs(event.steppedMs))} ${event.steppedMs < 0 ? 'back' : 'forward'}; leases keep the time that was left`;
    case 'events.limited':
      return `${count(event.count, 'event')} of ${LIMITED[event.subject] ?? event.subject} not kept: too many at once`;
    case 'server.trouble':
      return `trouble: ${serverTroubleText(event)} [${event.code}]`;
  }
}

/** `server started: rack on br0 as 10.0.0.2, far by relays; HTTP on port 8080`. */
function startedWords({ serves = [], httpPort }: Event & { readonly kind: 'server.started' }): string {
  const networks = serves.map(({ network, interface: name, server }) => {
    const as = server === undefined ? ', which has no address there yet' : ` as ${formatIpv4(server)}`;
    return `${network} ${name === undefined ? 'by relays' : `on ${name}`}${as}`;
  });
  const parts = [networks.join(', '), httpPort === undefined ? '' : `HTTP on port ${httpPort}`];
  const known = parts.filter((part) => part !== '').join('; ');
  return known === '' ? 'server started' : `server started: ${known}`;
}

function lackWords({ lacks, interface: name, server }: Event & { readonly kind: 'network.lost' }): string {
  switch (lacks) {
    case 'interface':
      return `there is no interface ${name}`;
    case 'port':
      return `port 67 cannot be had on ${name}`;
    case 'address':
      if (server !== undefined) return `no interface has the server's address ${formatIpv4(server)}`;
      return `${name ?? 'this machine'} has no address for it`;
  }
}

function asServer({ server }: ServedAs): string {
  return server === undefined ? '' : ` as ${formatIpv4(server)}`;
}

function service(kind: string): string {
  return kind.slice(0, kind.indexOf('.')).toUpperCase();
}
