import { type FaultSink, guarded } from '../faults.ts';
import {
  AF_NETLINK,
  bindSocket,
  closeDescriptor,
  kernelAddress,
  makeSocket,
  NETLINK_ROUTE,
  receive,
  SOCK_RAW,
  watchReadable,
} from './libc.ts';

/** Groups of rtnetlink(7): changes of interfaces and of IPv4 addresses. */
const RTMGRP_LINK = 0x1;
const RTMGRP_IPV4_IFADDR = 0x10;
/** Changes come in groups, and other programs' interfaces may change all the time. */
const SETTLE_MS = 200;

/**
 * Calls `onNews` soon after an interface or an IPv4 address of this machine has changed, at most five times a second. Throws
 * SystemCallError if no socket can be made.
 */
export function hearLinkNews(onNews: () => void, faulted: FaultSink): { close(): void } {
  const fd = makeSocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  try {
    bindSocket(fd, kernelAddress(RTMGRP_LINK | RTMGRP_IPV4_IFADDR));
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
  const message = new Uint8Array(8192);
  let timer: NodeJS.Timeout | undefined;
  const settled = guarded(faulted, () => {
    timer = undefined;
    onNews();
  });
  const read = (): void => {
    // The contents of the messages do not matter, nor lost ones: the listener reads the interfaces again.
    for (let i = 0; i < MESSAGES_PER_TURN && receive(fd, message) >= 0; i++);
    timer ??= setTimeout(settled, SETTLE_MS).unref();
  };
  const watch = watchReadable(fd, guarded(faulted, read));
  return {
    close() {
      clearTimeout(timer);
      watch.stop();
      closeDescriptor(fd);
    },
  };
}

const MESSAGES_PER_TURN = 1024;
