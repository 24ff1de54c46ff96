import type { SiteFiles } from '../../site/testing/folderFixture.ts';

// Configurations in the styles that people write, for tests: each is one that dnsmasq itself accepts.

/** A small office: one line of everything, comments all over. */
export const LAN: SiteFiles = {
  'dnsmasq.conf': `# Names and addresses of the office
domain-needed
bogus-priv
no-resolv
server=9.9.9.9
local=/office.example.org/
interface=br0
except-interface=lo
bind-interfaces
expand-hosts
domain=office.example.org
dhcp-range=10.0.0.100,10.0.0.199,255.255.255.0,12h   # everybody
dhcp-option=option:router,10.0.0.1
dhcp-option=option:ntp-server,0.0.0.0
dhcp-option = 252, "\\n"
dhcp-host=52:54:00:00:01:00,printer,10.0.0.10
dhcp-host=52:54:00:00:01:01,52:54:00:00:01:02,laptop.office.example.org,10.0.0.11,infinite
dhcp-host=52:54:00:00:01:03,ignore
dhcp-host=00:0c:29:*:*:*,set:virtual
dhcp-host=id:01:02:03:04,10.0.0.12
dhcp-host=guest,10.0.0.13
dhcp-host=52:54:00:00:01:04,[fd00::4],10.9.9.9
dhcp-option=tag:virtual,option:dns-server,10.0.0.3
dhcp-authoritative
dhcp-leasefile=/var/lib/misc/dnsmasq.leases
log-dhcp
cache-size=1000
`,
};

/** A boot server for several kinds of firmware. */
export const PXE: SiteFiles = {
  'dnsmasq.conf': `port=0
interface=br0
dhcp-range=set:rack,10.0.0.50,10.0.0.150,255.255.255.0,1h
dhcp-option=tag:rack,3,10.0.0.1
dhcp-option=6,10.0.0.1,9.9.9.9
dhcp-match=set:efi64,option:client-arch,7
dhcp-match=set:efi64,option:client-arch,9
dhcp-match=set:ipxe,175
dhcp-vendorclass=set:pxe,PXEClient
dhcp-userclass=set:gpxe,gPXE
dhcp-boot=tag:!ipxe,tag:!efi64,undionly.kpxe
dhcp-boot=tag:efi64,snponly.efi,,10.0.0.9
dhcp-boot=tag:ipxe,http://10.0.0.2/boot.ipxe
dhcp-option=tag:pxe,vendor:PXEClient,6,2b
dhcp-option-force=tag:gpxe,208,f1:00:74:7e
dhcp-option=option:classless-static-route,10.1.0.0/16,10.0.0.254,0.0.0.0/0,10.0.0.1
dhcp-option=option:domain-search,rack.example.org,example.org
dhcp-option=option:mtu,9000
pxe-prompt="Press F8", 3
pxe-service=x86-64_EFI, "Boot", ipxe.efi
pxe-service=x86PC, "Boot from local disk", 0
enable-tftp
tftp-root=/nonexistent/tftp
tftp-no-blocksize
tftp-max=100
tftp-single-port
no-ping
`,
};

/** A rack in pieces: files of their own for hosts and options, networks by tag, nodes that start pxelinux. */
export const LAB: SiteFiles = {
  'dnsmasq.conf': `conf-dir=/etc/dnsmasq.d/,*.conf
dhcp-hostsfile=/etc/hosts.dhcp
dhcp-optsfile=/etc/opts.dhcp
`,
  'dnsmasq.d/10-ranges.conf': `# nodes
interface=br0
interface=br1
dhcp-range=set:openstack,10.0.0.200,10.0.0.220,255.255.255.0,2h
dhcp-range=set:lan,tag:!known,192.168.0.111,192.168.0.150,255.255.255.0,192.168.0.255,30m
dhcp-range=set:storage,172.16.0.0,static,255.255.0.0,infinite
dhcp-range=set:openstack,tag:burnin,10.0.0.230,10.0.0.239,10m
dhcp-range=fd00::,ra-only
dhcp-mac=set:burnin,00:1a:4b:*:*:*
dhcp-mac=set:noisy,00:50:56:*:*:*
`,
  'dnsmasq.d/20-boot.conf': `dhcp-boot=tag:compute,pxelinux.0,boot,10.0.0.2
dhcp-ignore=tag:noisy
domain=rack.example.org,10.0.0.0/24
domain=example.org
`,
  'dnsmasq.d/30-old.conf.bak': 'nonsense\n',
  'hosts.dhcp': `52:54:00:00:00:51,set:compute,10.0.0.51,node01
52:54:00:00:00:52,set:compute,10.0.0.52,node02
# the store
52:54:00:00:00:53,set:store,172.16.0.53,store
52:54:00:00:00:54,192.168.0.100
`,
  'opts.dhcp': `tag:openstack,option:router,10.0.0.1
tag:lan,option:router,192.168.0.1
tag:store,option:mtu,9000
tag:openstack,tag:compute,option:ntp-server,10.0.0.1
option:dns-server,208.67.222.222,208.67.220.220
`,
};
