import { hostname } from 'node:os';
import type { Event } from '../model/event.ts';
import type { GaugesOf } from '../model/gauges.ts';
import type { Ipv4 } from '../model/ipv4.ts';
import { type DatagramTarget, openDatagramSender } from '../net/datagram.ts';
import { Tally } from '../timeline/tally.ts';
import type { Facility } from './facility.ts';
import { journalEntry } from './journal.ts';
import { jsonLine, logLine, severityOf } from './line.ts';
import { type Outlet, openOutlet } from './outlet.ts';
import { localSyslog, remoteSyslog, type SyslogMessage } from './syslog.ts';

export type LogFormat = 'text' | 'json';

/** Where events are logged besides standard output. */
export type LogSettings = {
  readonly format: LogFormat;
  readonly journald: boolean;
  /** `to` absent: this machine's own daemon, through /dev/log. */
  readonly syslog?: { readonly facility: Facility; readonly to?: { readonly ip: Ipv4; readonly port: number } };
};

/** The sockets of the daemons on this machine. */
export type LogSockets = { readonly syslog: string; readonly journald: string };
const SOCKETS: LogSockets = { syslog: '/dev/log', journald: '/run/systemd/journal/socket' };

/** Messages of the log that `to` did not take; `cause` is a code of the system. */
export type LossSink = (lost: { readonly count: number; readonly to: string; readonly cause: string }) => void;

/** Hands events to syslog and journald; neither ever holds a server up. */
export class Log {
  readonly #sockets: LogSockets;
  readonly #trouble: LossSink;
  #settings: LogSettings;
  #drains: readonly Drain[];
  #lost = 0;

  /** `trouble` is called, at most once a minute, with how many messages a daemon did not take and why. */
  constructor(settings: LogSettings, trouble: LossSink, sockets: LogSockets = SOCKETS) {
    this.#sockets = sockets;
    this.#trouble = (loss) => {
      this.#lost += loss.count;
      trouble(loss);
    };
    this.#settings = settings;
    this.#drains = drainsOf(settings, this.#trouble, sockets);
  }

  /** Messages that a daemon did not take, as far as they are reported. */
  gauges(): GaugesOf<'log'> {
    return { lost: this.#lost };
  }

  write(event: Event): void {
    for (const drain of this.#drains) drain.write(event);
  }

  /** Takes over new settings. */
  configure(settings: LogSettings): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.close();
    this.#settings = settings;
    this.#drains = drainsOf(settings, this.#trouble, this.#sockets);
  }

  close(): void {
    for (const drain of this.#drains) drain.close();
    this.#drains = [];
  }
}

type Drain = { write(event: Event): void; close(): void };

function drainsOf({ format, journald, syslog }: LogSettings, trouble: LossSink, sockets: LogSockets): readonly Drain[] {
  const drains: Drain[] = [];
  const open = (target: DatagramTarget, name: string, encode: (event: Event) => Uint8Array): void => {
    const tally = new Tally((count, cause) => trouble({ count, to: name, cause }));
    const outlet: Outlet = openOutlet(openDatagramSender(target), (cause) => tally.note(cause));
    drains.push({
      write: (event) => outlet.send(encode(event)),
      close: () => {
        outlet.close();
        tally.close();
      },
    });
  };
  if (syslog) {
    const text = format === 'json' ? jsonLine : logLine;
    const message = (event: Event): SyslogMessage => ({
      at: event.at,
      facility: syslog.facility,
      severity: severityOf(event),
      pid: process.pid,
      kind: event.kind,
      text: text(event),
    });
    const { to } = syslog;
    if (to === undefined) {
      open({ kind: 'unix', path: sockets.syslog }, sockets.syslog, (event) => localSyslog(message(event)));
    } else {
      const host = hostname();
      open({ kind: 'udp', ...to }, 'the syslog server', (event) => remoteSyslog(message(event), host));
    }
  }
  if (journald) open({ kind: 'unix', path: sockets.journald }, sockets.journald, journalEntry);
  return drains;
}
