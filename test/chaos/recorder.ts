/**
 * Records the DHCP packets on an interface into a file of pcap, in a process of its own, so that nothing else holds it up:
 * recorder.ts INTERFACE FILE. (tcpdump cannot give up its privileges in an ordinary user's namespace.) Says `listening`; SIGTERM ends it.
 */
import { openSync, writeSync } from 'node:fs';
import { readUdpFrame } from '../rig/frames.ts';
import { Wire } from '../rig/wire.ts';
import { fileHeader, recordHeader } from './pcap.ts';

const [, , interfaceName = '', file = ''] = process.argv;
const fd = openSync(file, 'w');
writeSync(fd, fileHeader());

const record = (frame: Buffer): void => {
  const datagram = readUdpFrame(frame);
  if (datagram && [datagram.fromPort, datagram.toPort].some((port) => port === 67 || port === 68))
    writeSync(fd, Buffer.concat([recordHeader(Date.now(), frame.length), frame]));
};
const wire = new Wire(interfaceName, record, { outgoing: true });
process.once('SIGTERM', () => {
  wire.close();
  process.exit(0);
});
console.log('listening');
