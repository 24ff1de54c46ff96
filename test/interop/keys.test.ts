import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { hasUsers, type PeerNode, type Peers, peerNodes } from './peers.rig.ts';

// What nodes get to prove themselves to each other is taken, and what others bring is refused, by the programs that it is for.

const NOVA = { transport_url: 'rabbit://', password: 'x', placement_password: 'x', neutron_password: 'x' };
const SITE = {
  site: 'rack',
  networks: { rack: { subnet: '10.0.0.0/24', domain: 'example.org' } },
  profiles: {
    compute: {
      overlays: ['ssh-host-keys', 'libvirtd', 'nova-compute', 'nova-ssh'],
      vars: { openstack: { controller: 'controller' }, nova: { ...NOVA, live_migration: 'tls' } },
    },
    ssh: { vars: { nova: { live_migration: 'ssh' } } },
    west: { vars: { nova_ssh: { group: 'west' } } },
  },
  nodes: {
    node01: { mac: '52:54:00:00:00:51', ip: '10.0.0.51', profiles: ['compute', 'ssh'] },
    node02: { mac: '52:54:00:00:00:52', ip: '10.0.0.52', profiles: ['compute'] },
    node03: { mac: '52:54:00:00:00:53', ip: '10.0.0.53', profiles: ['compute', 'west'] },
  },
};

const LIBVIRT_READY = 'test -S /run/libvirt/libvirt-sock && ss -ltn | grep -q :16514';

describe('nodes and their peers', { skip: hasUsers() ? false : 'needs root: files belong to several users' }, () => {
  let rig: Peers;
  let [node01, node02, node03]: PeerNode[] = [];
  const one = () => node01 ?? assert.fail('no node01');
  const two = () => node02 ?? assert.fail('no node02');
  const three = () => node03 ?? assert.fail('no node03');

  before(async () => {
    rig = await peerNodes(SITE, ['node01', 'node02', 'node03']);
    [node01, node02, node03] = rig.nodes;
    for (const node of [two(), three()]) await node.start('/usr/sbin/sshd -D -e', 'ss -ltn | grep -q :22');
    // Without systemd it opens the port itself; with it, libvirtd-tls.socket does.
    await two().start('/usr/sbin/libvirtd --listen', LIBVIRT_READY);
  });
  after(() => rig?.[Symbol.asyncDispose]());

  const refused = (node: PeerNode, line: string, words: RegExp, user?: string) =>
    assert.throws(() => node.run(line, user), words);

  describe('by ssh', () => {
    test('the user nova of a peer is let in under every name of the node, with nothing asked', () => {
      for (const host of ['node02', 'node02.example.org', '10.0.0.52'])
        assert.equal(one().run(`ssh ${host} 'id -un; hostname'`, 'nova'), 'nova\nnode02\n');
    });

    test('files are copied as cold migration and resize copy them', () => {
      one().run('head -c 100000 /dev/urandom >/var/lib/nova/instances/disk', 'nova');
      one().run('ssh -o BatchMode=yes 10.0.0.52 mkdir -p /var/lib/nova/instances/one', 'nova');
      one().run('scp -q -r /var/lib/nova/instances/disk 10.0.0.52:/var/lib/nova/instances/one/disk', 'nova');
      const sum = 'sha256sum </var/lib/nova/instances';
      assert.equal(one().run(`${sum}/disk`), two().run(`${sum}/one/disk`));
      assert.equal(two().run('stat -c %U /var/lib/nova/instances/one/disk'), 'nova\n');
    });

    test('it may run commands and forward nothing', () => {
      refused(
        one(),
        'ssh -o ExitOnForwardFailure=yes -W 127.0.0.1:22 node02 </dev/null',
        /prohibited|refused/i,
        'nova',
      );
    });

    test('a node of another group is not admitted, and knows no node of this one', () => {
      refused(three(), 'ssh node02 true', /No .* host key is known for node02/, 'nova');
      refused(three(), 'ssh -o StrictHostKeyChecking=no node02 true', /Permission denied/, 'nova');
      assert.equal(three().run('ssh node03 hostname', 'nova'), 'node03\n');
    });

    test('a machine that has taken a peer’s address is not talked to', () => {
      // node03's sshd, under the name of node02.
      refused(one(), 'ssh -o HostKeyAlias=node02 10.0.0.53 true', /HOST IDENTIFICATION HAS CHANGED/, 'nova');
    });
  });

  describe('by TLS', () => {
    test('openssl and certtool accept the certificates, and virt-pki-validate finds its files', () => {
      for (const node of rig.nodes) {
        const verify = (purpose: string) =>
          `openssl verify -x509_strict -purpose ${purpose} -CAfile /etc/pki/CA/cacert.pem /etc/pki/libvirt/servercert.pem`;
        for (const purpose of ['sslserver', 'sslclient']) assert.match(node.run(verify(purpose)), /: OK$/m);
        const hostnamed = '--infile /etc/pki/libvirt/servercert.pem --verify-hostname';
        for (const host of [node.name, `${node.name}.example.org`]) {
          const said = node.run(`certtool --verify --load-ca-certificate /etc/pki/CA/cacert.pem ${hostnamed} ${host}`);
          assert.match(said, /Chain verification output: Verified\./);
        }
        // A client's key that everybody may read is what it wants, and what we do not do.
        const advice = [
          'The client private key need to be read by client tools',
          /^as root do: chmod 644 .*clientkey\.pem$/,
        ];
        const lines = node.run('virt-pki-validate').trim().split('\n');
        const complaints = lines.filter((line) => !line.startsWith('Found '));
        assert.equal(complaints.length, 2, lines.join('\n'));
        assert.equal(complaints[0], advice[0]);
        assert.match(complaints[1] ?? '', advice[1] as RegExp);
      }
    });

    test('libvirt connects under every name of the node', () => {
      for (const host of ['node02', 'node02.example.org', '10.0.0.52'])
        assert.equal(one().run(`virsh -c qemu+tls://${host}/system hostname`).trim(), 'node02.example.org');
    });

    test('a client without a certificate of the site is refused, and so is a server', () => {
      // An authority that calls itself as ours does, so that the client offers what it has signed.
      one().run(`mkdir -p /etc/foreign/none && cd /etc/foreign && exec 2>&1
        openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /O=Reveille/CN=rack -keyout ca.key -out ca.pem
        openssl req -new -newkey rsa:2048 -nodes -subj /O=rack/CN=node01 -keyout clientkey.pem -out request
        openssl x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -out clientcert.pem
        cp /etc/pki/CA/cacert.pem . && cp /etc/pki/CA/cacert.pem none`);
      const via = (pki: string) => `virsh -c 'qemu+tls://node02/system?pkipath=${pki}' hostname`;
      // The server closes the connection; what a client hears of that differs.
      const closed = /certificate|reset|closed|terminated|TLS|End of file|Input\/output/i;
      for (const pki of ['/etc/foreign', '/etc/foreign/none']) refused(one(), via(pki), closed);
      one().run('cp /etc/foreign/ca.pem /etc/foreign/cacert.pem');
      refused(one(), via('/etc/foreign'), /certificate/i);
    });

    test('a name that is not the node’s is refused', () => {
      one().run('echo 10.0.0.52 stranger >>/etc/hosts');
      refused(one(), 'virsh -c qemu+tls://stranger/system hostname', /stranger/);
    });

    test('libvirt takes a renewed certificate without being started anew', () => {
      const before = two().run('pidof libvirtd');
      two().run('virt-admin server-update-tls libvirtd');
      assert.equal(two().run('pidof libvirtd'), before);
      assert.equal(one().run('virsh -c qemu+tls://node02/system hostname').trim(), 'node02.example.org');
    });
  });

  test('libvirt connects by ssh as nova.conf says, as root and with the user nova’s key', () => {
    const uri = one().run("sed -n 's/^live_migration_uri = //p' /etc/nova/nova.conf").trim();
    assert.equal(
      one()
        .run(`virsh -c '${uri.replace('%s', '10.0.0.52')}' hostname`)
        .trim(),
      'node02.example.org',
    );
    refused(
      one(),
      `virsh -c '${uri.replace('%s', '10.0.0.53')}' hostname`,
      /Host key verification failed|Permission denied/,
    );
  });
});
