import type { BootAnswer } from '../boot/client.ts';
import type { ProbeQuestion } from '../net/probe.ts';
import { refusalWords } from '../words/dhcp.ts';
import { destinationOf } from './destination.ts';
import { grantedEvent, lostEvent, nakEvent, otherServerEvent, refusedEvent } from './events.ts';
import type { Exchange } from './exchange.ts';
import { givenBoot, type Layers } from './given.ts';
import type { DhcpPacket } from './packet.ts';
import { canProbe } from './place.ts';
import type { Plan, PlanOf, Reply } from './plan.ts';
import { type Decision, decide } from './policy.ts';
import { boundsFor, composeNak, composeReply } from './reply.ts';
import type { View } from './view.ts';
import type { ServedNetwork } from './wire.ts';

/** Answers one request: who is given which address, what it boots, the reply to it and the event. Pure: nothing is sent, saved or held. */
export function answer(exchange: Exchange, view: View): Plan {
  const decision = decide(exchange, view);
  switch (decision.kind) {
    case 'offer':
      return offer(exchange, view, decision);
    case 'ack':
      return { ...decision, ...answered(exchange, view, decision, decision.lease.ip) };
    case 'bootp':
    case 'inform':
      return { ...decision, ...answered(exchange, view, decision, decision.ip) };
    case 'nak': {
      const { network, refusal } = decision;
      const packet = composeNak(exchange, network, refusalWords(refusal));
      return {
        ...decision,
        reply: replyOf(exchange, network, packet, true),
        event: nakEvent(exchange, network.name, refusal),
      };
    }
    case 'change':
      return { ...decision, event: lostEvent(exchange, decision.lease, decision.end) };
    case 'other-server':
      return { ...decision, event: otherServerEvent(exchange, decision.network.name, decision.server) };
    case 'silence':
      return { ...decision, event: refusedEvent({ mac: exchange.client.mac, via: exchange.via }, decision.refusal) };
  }
}

function offer(exchange: Exchange, view: View, decision: Extract<Decision, { kind: 'offer' }>): PlanOf<'offer'> {
  const composed = answered(exchange, view, decision, decision.ip);
  if (!decision.untried || !canProbe(exchange)) return { ...decision, ...composed };
  return { ...decision, ...composed, probe: probeFor(exchange, decision) };
}

/** The client itself may have the address already, and answers then; behind a relay it is the relay that answers. */
function probeFor(
  { site, client, node, relay }: Exchange,
  { ip, network }: Extract<Decision, { kind: 'offer' }>,
): ProbeQuestion {
  const own = relay ? [] : (node?.macs ?? [client.mac]);
  return { ip, from: network.server, waitMs: site.dhcp.probeMs, own };
}

type Answered = Pick<PlanOf<'ack'>, 'boot' | 'reply' | 'event'>;

/** The reply that gives `ip`, with what there is to boot. */
function answered(
  exchange: Exchange,
  view: View,
  to: Layers & { readonly kind: 'offer' | 'ack' | 'bootp' | 'inform'; readonly seconds?: number },
  ip: Parameters<typeof grantedEvent>[3],
): Answered {
  const { client } = exchange;
  const { kind, network, node } = to;
  const boot = givenBoot(to, () => (client.asksToBoot ? view.boot(client, node, network) : NO_BOOT));
  const packet = composeReply(kind === 'inform' ? 'ack' : kind, { ...to, exchange, ip, boot });
  return {
    boot,
    reply: replyOf(exchange, network, packet, false),
    event: grantedEvent(exchange, view, kind, ip, network.name, boot),
  };
}

const NO_BOOT: BootAnswer = { kind: 'none', reason: { code: 'not-asked' } };

function replyOf(exchange: Exchange, network: ServedNetwork, packet: DhcpPacket, isNak: boolean): Reply {
  return { packet, network, to: destinationOf(exchange, packet.yiaddr, isNak), bounds: boundsFor(exchange) };
}
