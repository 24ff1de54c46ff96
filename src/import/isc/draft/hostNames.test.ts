import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseConfiguration } from '../text/parser.ts';
import { hostNamesIn } from './hostNames.ts';

it('host names are those that stand where an address could', () => {
  const text = `
    option voip code 150 = array of ip-address;
    option voip phone.example.org, 10.0.0.9;
    option domain-name "no.example.org";
    option routers gw;
    next-server boot.example.org;
    subnet 10.0.0.0 netmask 255.255.255.0 { if known { option ntp-servers time; } }
    group { host no { hardware ethernet 02:00:00:00:00:01; fixed-address joe.example.org, 10.0.0.5; } }
    ddns-domainname "no";`;
  const found = hostNamesIn(parseConfiguration('a', text, () => assert.fail()));
  assert.deepEqual([...found], ['phone.example.org', 'gw', 'boot.example.org', 'time', 'joe.example.org']);
});
