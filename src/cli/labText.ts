import type { CloudStatus, LabStatus } from '../lab/control.ts';
import { jsonText, paint } from './print.ts';
import { table } from './table.ts';

/** Prints a rack, with the cloud beside it if there is one. */
export function show(status: LabStatus, json: boolean | undefined): void {
  console.log(json ? jsonText(status) : rackText(status));
}

/** A rack as a table of its machines, and its cloud. */
export function rackText(status: LabStatus): string {
  if (status.doing !== undefined) return `The rack of ${status.site} is being set up: ${status.doing}`;
  const rows = status.machines.map((one) => [one.name, one.on ? 'on' : 'off', one.macs.join(' '), one.console]);
  const speed = status.accelerator === 'kvm' ? 'KVM' : 'software (TCG): KVM does not work here';
  const heading = `${paint('bold', `Rack of ${status.site}`)}, processors by ${speed}`;
  const rack = `${heading}\n${table([['MACHINE', 'POWER', 'CARDS', 'CONSOLE'], ...rows])}`;
  return status.cloud === undefined ? rack : `${rack}\n\n${cloudText(status.cloud)}`;
}

function cloudText({ runs, url, cloudsFile, logs }: CloudStatus): string {
  const heading = `${paint('bold', 'Cloud')} ${runs ? `at ${url}` : paint('red', 'whose controller has ended')}`;
  return `${heading}\n  clouds.yaml  ${cloudsFile} (entry: lab)\n  logs         ${logs}`;
}

/** What an operator may do with a cloud that stands. */
export function cloudUsage(status: LabStatus): string {
  const state = `--state ${status.state}`;
  const [first = 'NODE'] = status.machines.map(({ name }) => name);
  const rows = [
    [`reveille lab boot ${state}`, 'switch the machines on'],
    [`reveille lab console ${first} --follow ${state}`, 'what one of them says'],
    [`reveille status --site ${status.site} ${state}`, 'which are in service'],
    [`reveille lab cloud exec ${state} -- openstack server list`, 'the client, on the controller'],
    [`reveille lab exec ${state} -- curl ${status.cloud?.url}`, "this machine's programs, in the rack's network"],
    [`reveille lab cloud down ${state}`, 'end all of it'],
  ];
  return [
    `The server serves ${status.site}: a copy of your site, with the passwords of this cloud. Edit it there; the next`,
    '`lab cloud up` copies anew.',
    '',
    table(rows),
  ].join('\n');
}
