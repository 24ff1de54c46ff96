import type { BootReason, Layer } from '../model/bootReason.ts';
import { formatIpv4 } from '../model/ipv4.ts';

/** Why a client is given what it boots, or nothing, for people. */
export function bootReasonWords(reason: BootReason): string {
  switch (reason.code) {
    case 'not-asked':
      return 'the client does not ask to boot';
    case 'not-listed':
      return 'the site does not list this machine';
    case 'no-image':
      return `${reason.node} has no image: it gets an address only`;
    case 'no-method':
      return `no loader for ${reason.firmware} firmware with loader: ${reason.choice}`;
    case 'would-loop':
      return `${reason.file} is running already and lacks HTTP: chaining it again would loop`;
    case 'ipxe-script':
      return 'iPXE with HTTP is asking: it runs its script';
    case 'loader':
      return `${reason.firmware} firmware with loader: ${reason.choice}`;
    case 'operator': {
      const server = reason.nextServer === undefined ? '' : `, nextServer of ${layerWords(reason.nextServer)}`;
      return `bootFile of ${layerWords(reason.bootFile)}${server}`;
    }
  }
}

function layerWords(layer: Layer): string {
  switch (layer.of) {
    case 'node':
      return layer.name;
    case 'class':
    case 'network':
      return `${layer.of} ${layer.name}`;
    case 'pool':
      return `the pool from ${formatIpv4(layer.first)}`;
  }
}
