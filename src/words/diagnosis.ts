import type { BootStep } from '../model/bootStep.ts';
import { formatIpv4 } from '../model/ipv4.ts';
import type { Advice, Diagnosis, Holding, NodeFinding, Reached } from '../timeline/diagnose.ts';
import type { StrangerDiagnosis, StrangerFact, StrangerState } from '../timeline/diagnoseStranger.ts';
import { troubleText } from './serviceTrouble.ts';
import { standingHint, standingText } from './standing.ts';
import { stepDetail, stepName } from './step.ts';
import { count, formatMs, formatOff } from './units.ts';

/** A diagnosis in words: what is the matter, and what to look at next, a line each. */
export type DiagnosisText = { readonly summary: string; readonly advice: readonly string[] };

export function diagnosisText({ node, finding, advice }: Diagnosis): DiagnosisText {
  return { summary: findingText(node, finding), advice: advice.flatMap((one) => adviceText(node, one)) };
}

function findingText(node: string, finding: NodeFinding): string {
  switch (finding.code) {
    case 'address-only':
      return `${node} has no image: it gets an address and no boot file.`;
    case 'image-not-built':
      return `The image ${finding.image} has not been built.`;
    case 'addressed':
      return `${node} has its address and has not asked to boot: ${holdingText(finding)}.`;
    case 'unseen':
      return `No boot request from ${finding.mac} has arrived.`;
    case 'not-in-service':
      return `${node} is ready and not in service${finding.standing ? `: ${standingText(finding.standing)}` : ''}.`;
    case 'ready': {
      const service = finding.standing ? ` and ${standingText(finding.standing)}` : '';
      return `${node} is ready${service}; its boot took ${formatMs(finding.tookMs)}.`;
    }
    case 'loaded': {
      const what = finding.bootFile === undefined ? `all of the menu entry ${finding.entry}` : `to ${finding.bootFile}`;
      return `${node} was sent ${what}, ${formatMs(finding.quietMs)} ago.`;
    }
    case 'step-failed':
      return failureText(finding.step, ` on ${node}`);
    case 'step-goes-on': {
      const detail = stepDetail(finding.step);
      return `${node} is booting; the step ${stepName(finding.step)} goes on${detail ? `: ${detail}` : ''}.`;
    }
    case 'other-server':
      return `${node} took another DHCP server's offer; ${quietText(finding)}.`;
    case 'booting':
      return `${node} is booting; ${quietText(finding)}.`;
  }
}

function quietText({ last, quietMs }: { readonly last?: BootStep; readonly quietMs: number }): string {
  return last ? `the last thing seen was "${stepName(last)}", ${formatMs(quietMs)} ago` : 'nothing was seen';
}

function failureText(step: BootStep, where = ''): string {
  const detail = stepDetail(step);
  return `The step ${stepName(step)} failed${where}${detail ? `: ${detail}` : ''}.`;
}

/** `10.0.0.200 of network rack (pool 10.0.0.200-10.0.0.220) for 50 min 0 s yet`. */
export function holdingText({ lease, leftMs }: Holding): string {
  const { ip, network, pool } = lease;
  return `${ip} of network ${network}${pool === null ? '' : ` (pool ${pool})`} for ${formatMs(leftMs)} yet`;
}

function adviceText(node: string, advice: Advice): readonly string[] {
  switch (advice.code) {
    case 'address-held':
      return [`It has ${holdingText(advice)}.`];
    case 'no-address':
      return ['It has no address now.'];
    case 'build-image':
      return [`Run \`reveille image build ${advice.image}\`.`];
    case 'own-address-next':
      return [`The site keeps ${advice.ip} for it: it changes to that when it asks next.`];
    case 'boot-order':
      return [
        'A system that is on it already asked for the address. Does its firmware boot from the network card first?',
      ];
    case 'other-card':
      return [
        `Is ${advice.mac} the card that the firmware boots from? A machine with several cards may boot by another: \`mac:\` takes a list.`,
      ];
    case 'power-and-boot-order':
      return ['Is the machine on, and does its firmware boot from the network card first?'];
    case 'right-card':
      return [
        `Is ${advice.mac} the address of the card that is wired to the boot network? \`reveille watch\` shows strangers that ask.`,
      ];
    case 'portfast':
      return [
        'A switch port with spanning tree and without portfast keeps the link down for about 50 s, longer than some firmware asks.',
      ];
    case 'console':
      return ['What it runs does not report here. Look at its console, or whether it answers on the network.'];
    case 'other-server':
      return ['Find and stop the second DHCP server on this wire, or keep the boot network apart from it.'];
    case 'service-trouble': {
      const { words, hint } = troubleText(advice.trouble);
      return [`${advice.service} ${words}.`, sentence(hint)];
    }
    case 'cloud-hint': {
      const hint = standingHint(advice.standing);
      return hint === undefined ? [] : [sentence(hint)];
    }
    case 'printed':
      return [
        'It printed last:',
        ...advice.output
          .trimEnd()
          .split('\n')
          .map((line) => `  ${line}`),
      ];
    case 'failed-too':
      return [failureText(advice.step)];
    case 'stopped-after':
      return STOPPED_AFTER[advice.reached];
    case 'clock':
      return [`Its clock is ${formatOff(advice.aheadMs)} the server's: does it ask a time server (NTP)?`];
    case 'refresh-failed':
      return [`Its last refresh failed, and is tried again: ${advice.cause}.`];
    case 'files-behind':
      return [
        `The site gives it other files by now: see \`reveille diff ${node}\`, apply them at once with \`reveille sync ${node}\`.`,
      ];
    case 'files-drifted': {
      const paths = `${advice.paths.join(', ')}${advice.count > advice.paths.length ? ', ...' : ''}`;
      return [
        `${count(advice.count, 'file')} changed there: ${paths}.`,
        `They stay so until the site changes them, or \`reveille sync ${node} --restore\` writes them again.`,
      ];
    }
  }
}

const STOPPED_AFTER: { readonly [R in Reached]: readonly string[] } = {
  agent: ['The agent runs on the node. Look at its console, or at `journalctl -u reveille-agent` there.'],
  root: [
    'The first initrd is bringing the squashfs root, and starts over by itself where it cannot. Look at its console.',
    'With kernelArgs: [reveille.debug] it gives a shell there when it fails.',
  ],
  initrd: [
    'The node has its kernel and initrd, and its agent has not reported. Look at its console (kernelArgs: [console=ttyS0]).',
    'Too little RAM for the unpacked image ends in a panic; so does a kernel that cannot unpack the initrd.',
    'With a squashfs root, the first initrd waits up to five minutes for link and address before it starts over.',
    'An image without the driver of the network card comes up and cannot reach the server.',
  ],
  script: ['The loader has its script and did not fetch the whole image. Does a firewall let HTTP (and TFTP) through?'],
  loader: [
    'The loader was fetched and asked for nothing more. Some network cards hang in one loader: try `loader: pxelinux` or `loader: ipxe`.',
  ],
  address: [
    'The firmware has an address and fetched nothing. Does a firewall drop TFTP (UDP port 69 and the ports that answer)?',
    'A second DHCP server may have sent it elsewhere.',
  ],
  asking: [
    'The firmware asked for an address and did not take the offer. A second DHCP server may have answered first.',
    'Do answers reach the machine: the same VLAN, no DHCP snooping on the switch port?',
  ],
};

/** A stranger's diagnosis in words. `options` are added to commands (`--site x`). */
export function strangerText({ mac, code, facts }: StrangerDiagnosis, options: string): DiagnosisText {
  return {
    summary: `${mac} is no node of the site: ${STRANGER_STATES[code]}.`,
    advice: facts.map((fact) => factText(mac, fact, options)),
  };
}

const STRANGER_STATES: { readonly [S in StrangerState]: string } = {
  'asked-to-boot': 'it asked to boot',
  addressed: 'it has an address and has not asked to boot',
  'without-address': 'it asked for an address and has none',
};

function factText(mac: string, fact: StrangerFact, options: string): string {
  switch (fact.code) {
    case 'asked':
      return askedText(fact);
    case 'machine':
      return machineText(fact);
    case 'address':
      return `Its address: ${holdingText(fact)}.`;
    case 'no-address':
      return `Its address: none${fact.before === undefined ? '' : ` now; its last was ${formatIpv4(fact.before)}`}.`;
    case 'refused':
      return `Why it was last given none: ${fact.reason}.`;
    case 'boot': {
      const detail = fact.last && stepDetail(fact.last);
      const step = fact.last ? `${stepName(fact.last)}${detail === undefined ? '' : ` (${detail})`}` : 'nothing';
      return `Its newest attempt to boot came as far as: ${step}.`;
    }
    case 'make-node': {
      const command = fact.way === 'adopt' ? `adopt ${mac}` : `add NAME --mac ${mac} --ip next`;
      return `To make it a node: \`reveille node ${command}${options}\`.`;
    }
  }
}

function askedText({ network, via, requests, messages, firstMs, lastMs }: StrangerFact & { code: 'asked' }): string {
  const where = [via === undefined ? '' : ` through ${via}`, network === undefined ? '' : ` on network ${network}`];
  const kinds = Object.entries(messages).map(([kind, times]) =>
    kind === 'refused' ? `${times} without an answer` : `${kind.toUpperCase()} ${times}`,
  );
  const all = kinds.length === 0 ? count(requests, 'request') : kinds.join(', ');
  return `DHCP${where.join('')}: ${all}; first ${formatMs(firstMs)} ago, last ${formatMs(lastMs)} ago.`;
}

function machineText({ machine, vendor, classes }: StrangerFact & { code: 'machine' }): string {
  const { hostname, firmware, vendorClass, circuitId, remoteId } = machine;
  const parts = [
    hostname === undefined ? '' : `calls itself ${hostname}`,
    vendor === undefined ? '' : `card by ${vendor}`,
    firmware === undefined ? '' : `firmware ${firmware}`,
    vendorClass === undefined ? '' : `vendor class ${vendorClass}`,
    circuitId === undefined ? '' : `port ${circuitId}`,
    remoteId === undefined ? '' : `of ${remoteId}`,
    classes.length === 0 ? 'in no class' : `in class ${classes.join(', ')}`,
  ];
  return `The machine: ${parts.filter((part) => part !== '').join(', ')}.`;
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.?!]$/.test(words) ? '' : '.'}`;
}
