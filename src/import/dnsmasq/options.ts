// Every option of dnsmasq(8) that may stand in a file: whether it takes a value, and what becomes of it.

import type { Weight } from '../draft.ts';

/** `read`: the import looks at what it says. Otherwise the words say why it is left, what to do instead, and whom that concerns. */
export type Treatment = 'read' | { readonly left: string; readonly weight?: Weight };

export type OptionForm = { readonly value: 'none' | 'required' | 'optional'; readonly treatment: Treatment };

const DNS = 'Reveille answers no DNS: keep dnsmasq for names, without its DHCP and TFTP, or use another name server';
const IPV6 = 'Reveille serves IPv4: keep the IPv6 part with its own server';
const PROCESS = 'it is about the process of dnsmasq; the service manager knows that of Reveille';
const LOG = 'it is about the log of dnsmasq: Reveille logs each exchange by itself';
const SCRIPT = 'no script is run at leases: `reveille watch --json` tells each event as it happens';
const LEASES = 'leases are kept in the state folder, each on disk before its answer leaves';
const BINDING = 'Reveille listens on the interfaces that the networks name, and on no other';
const TFTP_DETAIL = 'the TFTP server settles this with each client';

/** Keywords by treatment; `=` behind one that takes a value, `[=]` where the value may be left out. */
const TREATMENTS: readonly (readonly [Treatment, string])[] = [
  [
    'read',
    `conf-file[=] conf-dir= dhcp-range= dhcp-host= dhcp-option= dhcp-option-force= dhcp-boot= dhcp-match= dhcp-vendorclass= dhcp-userclass=
     dhcp-mac= dhcp-circuitid= dhcp-remoteid= dhcp-ignore= pxe-service= pxe-prompt= tag-if= dhcp-subscrid= dhcp-name-match= interface= except-interface= no-dhcp-interface=
     no-dhcpv4-interface= listen-address= domain= port= enable-tftp[=] tftp-root= tftp-single-port tftp-max= no-ping
     dhcp-authoritative dhcp-ignore-clid`,
  ],
  [
    { left: DNS, weight: 'other' },
    `address= bogus-priv bogus-nxdomain= cache-size= domain-needed selfmx expand-hosts filterwin2k filter-A filter-AAAA
     filter-rr= no-hosts addn-hosts= hostsdir= localmx mx-host= no-poll no-negcache use-stale-cache[=] strict-order
     edns-packet-max= query-port= port-limit= no-resolv resolv-file[=] servers-file= server= rev-server= local= mx-target=
     local-ttl= neg-ttl= max-ttl= max-cache-ttl= min-cache-ttl= fast-dns-retry[=] alias= srv-host= localise-queries
     txt-record= ptr-record= interface-name= dns-forward-max= clear-on-reload stop-dns-rebind rebind-localhost-ok
     rebind-domain-ok= all-servers naptr-record= min-port= max-port= cname= add-mac[=] strip-mac add-subnet[=]
     strip-subnet add-cpe-id= proxy-dnssec conntrack host-record= dynamic-host= caa-record= dns-rr= auth-server= auth-zone=
     auth-ttl= auth-soa= auth-sec-servers= auth-peer= ipset= nftset= connmark-allowlist-enable[=] connmark-allowlist=
     synth-domain= dnssec trust-anchor= dnssec-debug dnssec-check-unsigned[=] dnssec-no-timecheck dnssec-timestamp=
     dnssec-limits= local-service[=] dns-loop-detect ignore-address= umbrella[=] no-round-robin no-ident cache-rr=
     max-tcp-connections= dhcp-ttl= dhcp-fqdn dhcp-client-update`,
  ],
  [
    { left: 'it is not found here: copy it beside the configuration, and import again' },
    'dhcp-hostsfile= dhcp-optsfile= dhcp-hostsdir= dhcp-optsdir=',
  ],
  [{ left: IPV6, weight: 'other' }, 'no-dhcpv6-interface= enable-ra dhcp-duid= ra-param= quiet-dhcp6 quiet-ra'],
  [
    { left: PROCESS, weight: 'server' },
    `group[=] user[=] pid-file[=] keep-in-foreground no-daemon enable-dbus[=] enable-ubus[=] version help test conf-script=
     dumpfile= dumpmask=`,
  ],
  [
    { left: LOG, weight: 'server' },
    'log-queries[=] log-facility= log-dhcp log-async[=] log-debug quiet-dhcp quiet-tftp',
  ],
  [{ left: SCRIPT, weight: 'server' }, 'dhcp-script= dhcp-luascript= dhcp-scriptuser= script-arp script-on-renewal'],
  [{ left: LEASES, weight: 'server' }, 'dhcp-leasefile[=] leasefile-ro'],
  [{ left: BINDING, weight: 'server' }, 'bind-interfaces bind-dynamic'],
  [{ left: TFTP_DETAIL, weight: 'server' }, 'tftp-mtu= tftp-no-blocksize tftp-port-range= tftp-no-fail'],
  [
    { left: 'any file below tftp.root that the server may read is given out: take away what is not for all' },
    'tftp-secure',
  ],
  [{ left: 'names differ by case: rename files that are asked for in small letters' }, 'tftp-lowercase'],
  [
    { left: 'a node has its own files in nodes/<name> or nodes/<address with dashes>: move the folders there' },
    'tftp-unique-root[=]',
  ],
  [{ left: 'BOOTP is answered for nodes that have an address of their own, and for no others' }, 'bootp-dynamic[=]'],
  [{ left: 'networks with one `interface:` share the wire' }, 'bridge-interface= shared-network='],
  [{ left: 'a pool is as large as its range' }, 'dhcp-lease-max='],
  [{ left: 'addresses are picked by MAC address, so that a machine gets the same one again' }, 'dhcp-sequential-ip'],
  [{ left: 'a node has the name that the site gives it' }, 'dhcp-ignore-names[=] dhcp-generate-names[=]'],
  [{ left: 'option fields are never filled with options' }, 'dhcp-no-override'],
  [{ left: "answers are broadcast where the client's broadcast flag asks for it" }, 'dhcp-broadcast[=]'],
  [{ left: 'it answers by the ports of DHCP alone' }, 'dhcp-alternate-port[=]'],
  [{ left: 'relays are found by what they say of themselves; nothing need be declared' }, 'dhcp-proxy[=]'],
  [{ left: 'it does not relay to other servers: a relay agent does' }, 'dhcp-relay='],
  [{ left: 'answers leave at once' }, 'dhcp-reply-delay='],
  [{ left: 'rapid commit is not offered' }, 'dhcp-rapid-commit'],
  [{ left: 'every PXE client is answered by its firmware`s own vendor class' }, 'dhcp-pxe-vendor='],
  [{ left: 'copy the machines of /etc/ethers into `nodes:`' }, 'read-ethers'],
];

/** The options by name. */
export const OPTIONS: ReadonlyMap<string, OptionForm> = new Map(
  TREATMENTS.flatMap(([treatment, keywords]) =>
    keywords
      .split(/\s+/)
      .filter((word) => word !== '')
      .map((word): [string, OptionForm] => {
        if (word.endsWith('[=]')) return [word.slice(0, -3), { value: 'optional', treatment }];
        return word.endsWith('=')
          ? [word.slice(0, -1), { value: 'required', treatment }]
          : [word, { value: 'none', treatment }];
      }),
  ),
);
