import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hideSecrets } from './hideSecrets.ts';

describe('a line as a report shows it', () => {
  const rows: [string, string][] = [
    ['linux rootpw=hunter2 quiet', 'linux rootpw=*** quiet'],
    ['rootpw="two words" vga=788', 'rootpw=*** vga=788'],
    ['ROOTPW=hunter2', 'ROOTPW=***'],
    ['ks=http://user:hunter2@10.0.0.1/ks.cfg', 'ks=http://***@10.0.0.1/ks.cfg'],
    ['ks=http://user:hun@ter2@10.0.0.1/ks.cfg text', 'ks=http://***@10.0.0.1/ks.cfg text'],
    ['ftp://user:hun/ter2@host/linux', 'ftp://***@host/linux'],
    ['url=https://ghp_0123456789abcdef@github.com/x', 'url=https://***@github.com/x'],
    ['netroot=iscsi:user:hunter2@10.0.0.1::3260::iqn', 'netroot=iscsi:***@10.0.0.1::3260::iqn'],
    ['url=http://h/ks?host=a&token=hunter2&b=c', 'url=http://h/ks?host=a&token=***&b=c'],
    [
      'passwd/root-password=hunter2 passwd/root-password-again=hunter2',
      'passwd/root-password=*** passwd/root-password-again=***',
    ],
    ['passwd/user-password-crypted=$6$ab$cd', 'passwd/user-password-crypted=***'],
    ['netcfg/wireless_wpa=hunter2', 'netcfg/wireless_wpa=***'],
    ['cifsopts=user=a,pass=hunter2,vers=3', 'cifsopts=user=a,pass=***,vers=3'],
    ['K3S_TOKEN=K10abc::server:hunter2', 'K3S_TOKEN=***'],
    ['inst.vncpassword=hunter2', 'inst.vncpassword=***'],
    ['rd.iscsi.password=hunter2 rd.iscsi.in.password=hunter3', 'rd.iscsi.password=*** rd.iscsi.in.password=***'],
    ['MENU MASTER PASSWD $4$salt$hash', 'MENU MASTER PASSWD ***'],
    ['menu passwd hunter2', 'menu passwd ***'],
    ['rootpw --iscrypted hunter2', 'rootpw ***'],
    ['x=$6$salt$hash.x y', 'x=*** y'],
    ['header=Authorization: Bearer abc.def', 'header=Authorization: Bearer ***'],
    ['jwt eyJhbGciOi.eyJzdWIi.sig more', 'jwt *** more'],
    // Nothing to hide.
    [
      'default linux root=/dev/nfs ip=dhcp console=ttyS0,115200',
      'default linux root=/dev/nfs ip=dhcp console=ttyS0,115200',
    ],
    ['console-keymaps-at/keymap=us keyboard=de', 'console-keymaps-at/keymap=us keyboard=de'],
    ['url=http://10.0.0.1:8080/preseed.cfg', 'url=http://10.0.0.1:8080/preseed.cfg'],
    ['10.9.9.9::linux', '10.9.9.9::linux'],
  ];
  for (const [line, shown] of rows) it(line, () => assert.equal(hideSecrets(line), shown));
});
