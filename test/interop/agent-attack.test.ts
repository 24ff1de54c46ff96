import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ATTACKER, ground, HAS_USERS, SECRET } from './agent.attack.ts';
import type { Flavour } from './agent.rig.ts';

const FLAVOURS: readonly Flavour[] = ['dash', 'busybox'];
/** Opening a FIFO would take for ever. */
const PATIENCE_MS = 20_000;
const RACE_SECONDS = 3;
/** As many of the interleavings below as fit; REVEILLE_ATTACK_SECONDS=600 takes all of them. */
const STEPS_SECONDS = Number(process.env.REVEILLE_ATTACK_SECONDS ?? 8);

for (const flavour of FLAVOURS) {
  test(`${flavour}: what another user may have put in the way is refused in words, with its owner, and nothing of root's changes`, () => {
    const field = ground(flavour);
    const { home, root } = field;
    symlinkSync(`${root}/etc`, join(home, 'link'));
    mkdirSync(join(home, 'folder'));
    execFileSync('mkfifo', [join(home, 'fifo')]);
    mkdirSync(join(home, 'sub'));
    symlinkSync(`${root}/vault/shadow`, join(home, 'sub/leaf'));
    execFileSync('chown', ['-hR', `${ATTACKER}:${ATTACKER}`, home]);
    const before = field.canaries();
    const whose = `.*\\(${ATTACKER}\\)`;
    const rows: readonly (readonly [path: string, refused: RegExp])[] = [
      ['link/new', new RegExp(`^${home}/link is a link of ${whose} in a folder of ${whose}: not followed$`)],
      ['link/passwd', /not followed$/],
      ['link/../link/passwd', /not followed$/],
      ['folder', /is a folder on this machine$/],
      ['fifo', /is neither a file nor a link on this machine$/],
      ['fifo/below', /fifo: is not a folder on this machine$/],
    ];
    for (const [path, refused] of rows) {
      const lines = field
        .run(layLine(`${home}/${path}`), PATIENCE_MS)
        .trimEnd()
        .split('\n');
      assert.match(lines.at(-2) ?? '', refused, path);
      assert.equal(lines.at(-1), 'ended 2', path);
    }
    for (const path of ['sub/leaf', 'made/of/ours']) {
      assert.equal(field.run(layLine(`${home}/${path}`), PATIENCE_MS), 'ended 0\n', path);
      assert.equal(readFileSync(join(home, path), 'utf8'), 'laid by root');
    }
    assert.equal(field.canaries(), before);
    assert.equal(readlinkSync(join(root, `kept/original${home}/sub/leaf`)), `${root}/vault/shadow`, 'the link itself');
    assert.deepEqual([statSync(join(home, 'made/of')).uid, statSync(join(home, 'made/of')).mode & 0o777], [0, 0o755]);

    // What is in the way in a folder of root's is for the operator to mend: the node waits.
    mkdirSync(join(root, 'etc/folder'));
    const ended = HAS_USERS ? 1 : 2; // An ordinary user's namespace has a / that is not its root's.
    assert.match(
      field.run(layLine(`${root}/etc/folder`)),
      new RegExp(`is a folder on this machine\nended ${ended}\n$`),
    );
    // Links that root alone can have laid are followed: /lib, /var/run.
    symlinkSync('etc', join(root, 'lib'));
    symlinkSync(`${root}/lib/../lib`, join(root, 'lib64'));
    assert.equal(field.run(layLine(`${root}/lib64/new/file`)), 'ended 0\n');
    assert.equal(readFileSync(join(root, 'etc/new/file'), 'utf8'), 'laid by root');
    symlinkSync('loop', join(root, 'loop'));
    assert.match(field.run(layLine(`${root}/loop/file`)), /too many links\nended 2\n$/);
  });

  test(`${flavour}: at boot a file that another user keeps from being laid does not keep the others, or the node`, () => {
    const field = ground(flavour);
    const { home, root } = field;
    symlinkSync(`${root}/etc`, join(home, 'link'));
    execFileSync('chown', ['-h', `${ATTACKER}:${ATTACKER}`, join(home, 'link')]);
    const printed = field.run(`unset DURING
      { printf "file\\t0600\\t0\\t0\\t$SUM\\t%s\\n" $D/etc/a $D/home/link/b $D/home/c; } >$WORK/stage/manifest
      : >$WORK/stage/hooks
      lay_bundle /dev/null; echo "$PROBLEMS problems, files $FAILURE"
      conclude; find_drift; cat $WORK/drift`);
    assert.match(
      printed,
      /b could not be written\n.*not followed\n1 problems, files files: .*b could not be written\n$/,
    );
    for (const path of ['etc/a', 'home/c']) assert.equal(readFileSync(join(root, path), 'utf8'), 'laid by root');
    assert.deepEqual(readdirSync(join(root, 'etc')).sort(), ['a', 'passwd', 'shadow']);
    assert.equal(readFileSync(join(root, 'kept/applied'), 'utf8').split('\n').length, 3, 'what failed is tried again');
  });

  test(`${flavour}: folders among those of another user are made whole, changed only if they are the ones that were made, and never a link`, () => {
    const field = ground(flavour);
    const { home, root } = field;
    symlinkSync(`${root}/vault`, join(home, 'link'));
    mkdirSync(join(home, 'theirs'));
    execFileSync('chown', ['-hR', `${ATTACKER}:${ATTACKER}`, home]);
    const before = field.canaries();
    const folder = (path: string, kind = 'folder', access = '0750 0 0') =>
      field.run(`lay_folder ${kind} ${access} ${home}/${path}; echo "ended $?"`, PATIENCE_MS).trimEnd();
    const access = (path: string) => {
      const about = lstatSync(join(home, path));
      return `${(about.mode & 0o7777).toString(8)} ${about.uid}`;
    };
    assert.match(folder('link', 'folder', `0777 ${ATTACKER} 0`), /link: is a link on this machine\nended 2$/);
    assert.match(folder('link/below'), /not followed\nended 2$/);
    assert.match(
      folder('theirs'),
      /theirs: is in a folder of others, and may be another one than it was: left as it is\nended 2$/,
    );
    assert.equal(folder('theirs', 'default-folder'), 'ended 0', 'what is there keeps what it has');
    assert.equal(access('theirs'), `755 ${ATTACKER}`);
    assert.equal(folder('a'), 'ended 0');
    assert.equal(folder('b', 'folder', `0755 ${ATTACKER} 0`), 'ended 0');
    assert.deepEqual([access('a'), access('b')], ['750 0', `755 ${ATTACKER}`]);
    // The user of the folder gives root's the name of their own.
    for (const [from, to] of [
      ['a', 'c'],
      ['b', 'a'],
      ['c', 'b'],
    ] as const)
      renameSync(join(home, from), join(home, to));
    assert.match(
      folder('b', 'folder', `0777 ${ATTACKER} 0`),
      /may be another one than it was: left as it is\nended 2$/,
    );
    assert.equal(access('b'), '750 0');
    for (const [from, to] of [
      ['a', 'c'],
      ['b', 'a'],
      ['c', 'b'],
    ] as const)
      renameSync(join(home, from), join(home, to));
    assert.equal(folder('a', 'folder', '0700 0 0'), 'ended 0', 'it is the one that was made');
    assert.equal(access('a'), '700 0');
    assert.equal(field.canaries(), before);
  });

  test(`${flavour}: looking at what others changed neither blocks nor tells what a file holds`, () => {
    const field = ground(flavour);
    const { home, root } = field;
    const names = ['same', 'fifo', 'secret', 'huge', 'owned', 'mode', 'way/file', 'target'];
    mkdirSync(join(home, 'way'));
    execFileSync('chown', ['-R', `${ATTACKER}:${ATTACKER}`, home]);
    const printed = field.run(
      `for name in ${names.join(' ')}; do lay first file 0644 ${ATTACKER} ${ATTACKER} $SUM $D/home/$name; done
      lay first file 0640 ${ATTACKER} 0 $SUM $D/etc/theirs
      : >$WORK/changed; : >$WORK/removed; remember
      cd $D/home
      rm fifo secret target; mkfifo fifo; ln -s $D/vault/shadow secret; ln -s /dev/zero target
      truncate -s 4398046511104 huge $D/etc/theirs; chown 0:0 owned; chmod 0600 mode
      mv way gone; ln -s $D/etc way
      find_drift; sort $WORK/drift`,
      PATIENCE_MS,
    );
    const lines = printed.trimEnd().split('\n');
    const access = HAS_USERS ? [`access:644:0:0\t${home}/owned`] : [];
    assert.deepEqual(
      lines,
      [
        ...access,
        `access:600:${ATTACKER}:${ATTACKER}\t${home}/mode`,
        `content\t${home}/huge`,
        `content\t${home}/secret`,
        `content\t${home}/target`,
        `content\t${root}/etc/theirs`,
        `missing\t${home}/fifo`,
        `missing\t${home}/way/file`,
      ].sort(),
    );
  });

  test(`${flavour}: of a service's logs only what is the service's own is read`, () => {
    const field = ground(flavour);
    const { home, root } = field;
    const line = '2026-01-01 10:00:00.000 1 ERROR nova [-]';
    writeFileSync(join(root, 'vault/log'), `${line} ${SECRET}\n`, { mode: 0o600 });
    writeFileSync(join(home, 'own.log'), `${line} its own password=geheim\n`);
    symlinkSync(join(root, 'vault/log'), join(home, 'linked.log'));
    execFileSync('ln', [join(root, 'vault/log'), join(home, 'hard.log')]);
    execFileSync('mkfifo', [join(home, 'fifo.log')]);
    const words = (name: string) => field.run(`at $D/home log_words ${name} 2>/dev/null`, PATIENCE_MS);
    assert.equal(words('own.log'), `${line} its own password=***\n`);
    for (const name of ['linked.log', 'hard.log', 'fifo.log']) assert.equal(words(name), '', name);
    assert.equal(words('none.log').includes(SECRET), false);
  });

  test(`${flavour}: where root can prepare nothing on a file system, the words say so`, () => {
    const field = ground(flavour, { mounted: true });
    mkdirSync(join(field.home, 'inner'));
    execFileSync('mount', ['--bind', join(field.root, 'etc'), join(field.home, 'inner')]);
    execFileSync('mount', ['-o', 'remount,ro,bind', join(field.home, 'inner')]);
    const printed = field.run(layLine(`${field.home}/inner/file`));
    assert.match(printed, /inner: root can make no folder of its own there, in which to prepare the file\nended 1\n$/);
    execFileSync('umount', [join(field.home, 'inner')]);
    // The attacker was there first.
    mkdirSync(join(field.home, '.reveille-refresh'));
    execFileSync('chown', [`${ATTACKER}:${ATTACKER}`, join(field.home, '.reveille-refresh')]);
    chmodSync(join(field.home, '.reveille-refresh'), 0o777);
    assert.match(field.run(layLine(`${field.home}/file`)), /\.reveille-refresh: is not root's own\nended 2\n$/);
  });

  test(`${flavour}: a swap before any single step of the agent, for good or until the next step, gains nothing`, (t) => {
    const field = ground(flavour);
    const every = OPERATIONS.flatMap(([name, line, swaps]) =>
      swaps.flatMap((swap) => ['stays', 'back'].map((back) => ({ name, line, swap, back }))),
    );
    const before = field.canaries();
    const end = Date.now() + STEPS_SECONDS * 1000;
    let runs = 0;
    // Each over all of its steps, in another order each time.
    for (const { name, line, swap, back } of shuffled(every)) {
      const printed = field.run(`${INTERLEAVED}\n${SWAPS}\nOPERATION='${line}' SWAP=${swap} BACK=${back}\neach_step`);
      const [steps] = /^\d+ steps$/m.exec(printed) ?? [];
      assert.ok(steps, printed);
      runs += Number.parseInt(steps, 10);
      assert.equal(printed.replace(`${steps}\n`, ''), '', `${name}, ${swap} ${back}`);
      assert.equal(field.canaries(), before, `${name}, ${swap} ${back}`);
      if (Date.now() > end) break;
    }
    t.diagnostic(`${runs} runs`);
    assert.ok(runs > 10);
  });

  test(`${flavour}: a lock is its holder's for as long as that lives, and no process that has its number later`, () => {
    const field = ground(flavour);
    for (const left of ['1', '1.0', '999999999.5', '../x']) {
      symlinkSync(left, join(field.root, 'run/refreshing'));
      assert.equal(field.run('hold refreshing; echo $?; rm $RUN/refreshing'), '0\n', left);
    }
    const held =
      field.run(`name_process 1; ln -s "$PROCESS" $RUN/refreshing; hold refreshing; echo $?; rm $RUN/refreshing
      hold refreshing; hold refreshing; echo $?`);
    assert.equal(held, '1\n0\n', 'process 1 lives; one may take its own lock again');
  });

  for (const mounted of [false, true]) {
    test(`${flavour}: a user who swaps names as fast as a processor can gains nothing${mounted ? ', on a file system of their own' : ''}`, async (t) => {
      const field = ground(flavour, { mounted });
      const { home, root } = field;
      const before = field.canaries();
      const end = await field.attack(t, ATTACK);
      const printed = field.run(
        `printf 'only for root: laid' >$WORK/stage/data/private
        printf 'own\\tvalue\\n' >$WORK/stage/data/tokens
        mkdir -p $KEPT/original$D/home && printf 'own text' >$KEPT/original$D/home/replaced && chown ${ATTACKER}:${ATTACKER} $KEPT/original$D/home/replaced
        rounds=0 successes=0
        count() { "$@" 2>>$D/refusals && successes=$((successes + 1)); }
        begin race
        until clock && [ $((NOW - STEP_BEGAN)) -gt ${RACE_SECONDS * 1000} ]; do
          rounds=$((rounds + 1))
          count lay again file 0600 ${ATTACKER} ${ATTACKER} blob $D/home/key
          count lay again file 0600 0 0 private $D/home/private
          count lay again file 0600 0 0 private $D/home/sub/private
          count lay again link 0777 ${ATTACKER} ${ATTACKER} target $D/home/sub/link
          count lay first file 0644 ${ATTACKER} ${ATTACKER} blob $D/home/sub/kept
          count remove $D/home/sub/kept
          count lay again replace - - - tokens $D/home/replaced
          count lay again file 0644 0 0 blob $D/home/sub/deep/er/file
          rm -f $KEPT/original$D/home/sub/deep/er/file
          count remove $D/home/sub/deep/er/file
          : >$WORK/changed; : >$WORK/removed
          remember
          find_drift
          cat $WORK/drift >>$D/drift
          at $D/home/sub log_words kept >>$D/printed 2>/dev/null
        done
        leave_stages
        echo "$rounds rounds, $successes done"`,
      );
      const read = await end();
      assert.equal(field.canaries(), before);
      const found = field.holding(
        SECRET,
        home,
        join(root, 'kept'),
        join(root, 'run'),
        join(root, 'drift'),
        join(root, 'printed'),
      );
      assert.deepEqual(found, [], 'nothing that root alone may read was copied');
      assert.equal(HAS_USERS ? read : '', '', 'the attacker read nothing of it');
      const [, rounds = '0', done = '0'] = /(\d+) rounds, (\d+) done/.exec(printed) ?? [];
      assert.ok(Number(rounds) >= 2, printed);
      assert.ok(Number(done) >= Number(rounds), `nothing at all was laid: ${printed}`);
      t.diagnostic(`${rounds} rounds, ${done} of ${10 * Number(rounds)} done`);
      for (const name of readdirSync(home)) {
        const stat = lstatSync(join(home, name));
        if (stat.isFile()) assert.equal(stat.mode & 0o6000, 0, name);
      }
    });
  }
}

/** Lays one file, and how that ended. */
function layLine(path: string): string {
  return `lay first file 0644 ${ATTACKER} ${ATTACKER} blob ${path}; echo "ended $?"`;
}

/**
 * One round of the attacker: for a few milliseconds one of the names that the agent uses becomes in turn what could be of use to
 * it, again and again, now and then after a pause, so that the agent is met in the middle of each of its steps.
 */
const ATTACK = `
  const name = any(['key', 'private', 'replaced', 'sub', 'sub', 'sub/private', 'sub/link', 'sub/kept', 'sub/kept', 'sub/deep', 'sub/deep/er',
    'sub/deep/er/file', 'key.reveille-new', 'private.reveille-new', 'sub/kept.reveille-new', '.reveille-refresh', '.reveille-refresh/reveille-new']);
  const path = home + '/' + name;
  const folder = ['sub', 'sub/deep', 'sub/deep/er'].includes(name);
  const shapes = {
    shadow: () => fs.symlinkSync(vault + '/shadow', path),
    etc: () => fs.symlinkSync(any([etc, vault]), path),
    file: () => fs.writeFileSync(path, 'own text'),
    hard: () => fs.linkSync(etc + '/passwd', path),
    folder: () => fs.mkdirSync(path),
    none: () => {},
  };
  const two = [any(folder ? ['etc'] : ['shadow', 'shadow', 'etc']), any(folder ? ['folder'] : ['file', 'file', 'none', 'hard', 'folder'])];
  const end = Date.now() + any([1, 5, 20, 60]);
  const rest = any([0, 0, 1]);
  for (let i = 0; Date.now() < end; i++) {
    tries(
      () => { const text = fs.readFileSync(path, 'utf8'); if (/canary|only for root/.test(text)) read.add(name); },
      () => (folder ? fs.renameSync(path, home + '/gone' + (i % 3)) : fs.rmSync(path, { recursive: true })),
      () => fs.unlinkSync(path),
      shapes[two[i % 2]],
    );
    if (rest) sleep(rest);
  }
  tries(
    () => fs.rmSync(path, { recursive: true }),
    () => fs.mkdirSync(home + '/sub'),
    () => fs.rmSync(home + '/gone' + any([0, 1, 2]), { recursive: true }),
  );
  sleep(any([0, 1, 10, 30]));
`;

/** Operations on home/sub/name, and what the attacker swaps meanwhile. */
const OPERATIONS: readonly (readonly [name: string, line: string, swaps: readonly string[]])[] = [
  [
    'a file',
    `lay again file 0640 ${ATTACKER} ${ATTACKER} private $D/home/sub/name`,
    ['way', 'shadow', 'folder', 'newcomers'],
  ],
  [
    'a first file',
    `lay first file 0640 ${ATTACKER} ${ATTACKER} private $D/home/sub/name`,
    ['way', 'shadow', 'fifo', 'hard', 'newcomers'],
  ],
  ['a file in a new folder', `lay again file 0640 0 0 private $D/home/sub/new/name`, ['way', 'way/new', 'newcomers']],
  ['a link', `lay again link 0777 ${ATTACKER} ${ATTACKER} target $D/home/sub/name`, ['way', 'shadow', 'newcomers']],
  ['tokens', `lay again replace - - - tokens $D/home/sub/name`, ['way', 'shadow', 'newcomers']],
  ['a removal', `rm -f $KEPT/original$D/home/sub/name; remove $D/home/sub/name`, ['way', 'shadow']],
  ['an original given back', `remove $D/home/sub/name`, ['way', 'shadow', 'folder', 'newcomers']],
  ['drift', `find_drift; cat $WORK/drift >>$D/printed`, ['way', 'shadow', 'fifo', 'endless']],
  ['a log', `at $D/home/sub log_words name >>$D/printed`, ['way', 'shadow', 'fifo', 'endless']],
];

/**
 * Runs OPERATION as often as it has steps (programs that it calls, folders that it enters), each time with the swap before another
 * one of them. A subshell counts its own steps on from those of its parent.
 */
const INTERLEAVED = `
STEPS=0 AT=0
step() {
  STEPS=$((STEPS + 1))
  if [ "$STEPS" = "$AT" ] && [ ! -e $D/swapped ]; then
    : >$D/swapped
    swap >/dev/null 2>&1
  elif [ "$BACK" = back ] && [ "$((STEPS - 1))" = "$AT" ] && [ -e $D/swapped ]; then
    command rm $D/swapped
    swap_back >/dev/null 2>&1
  fi
}
wrap() {
  for program; do eval "$program() { step; command $program "'"$@"; }'; done
}
# Nothing of it may fail to end, and nothing may be left behind.
each_step() {
  AT=none
  one_run
  most=$taken
  AT=0
  while [ "$AT" -lt "$most" ]; do
    AT=$((AT + 1))
    one_run
  done
  reset
  echo "$most steps"
}
one_run() {
  reset
  (
    wrap cd ln cp mv rm chown chmod stat mkdir rmdir readlink sha256sum head tail cat awk timeout xargs
    STEPS=0
    eval "$OPERATION" >/dev/null 2>&1
    echo "$STEPS" >$D/steps
  ) &
  wait_for $! || echo "step $AT: does not end"
  read -r taken <$D/steps
  check "step $AT"
}
wait_for() {
  tenths=0
  while kill -0 "$1" 2>/dev/null; do
    tenths=$((tenths + 1))
    [ "$tenths" -lt 100 ] || { kill -9 "$1"; return 1; }
    sleep 0.02
  done
}
`;

const SWAPS = `
printf 'only for root: laid' >$WORK/stage/data/private
printf 'own\\tvalue\\n' >$WORK/stage/data/tokens
owned() { command chown -h ${ATTACKER}:${ATTACKER} "$@"; }
reset() {
  command rm -rf $D/home/* $KEPT/original $D/swapped
  command mkdir -p $D/home/sub $KEPT/original$D/home/sub
  printf 'own text' >$D/home/sub/name
  printf 'own text' >$KEPT/original$D/home/sub/name
  owned $D/home/sub $D/home/sub/name $KEPT/original$D/home/sub/name
  printf '8:\\t644\\t0\\t0\\t%s\\n' $D/home/sub/name >$KEPT/seen
  : >$KEPT/made
}
swap() {
  case $SWAP in
    way) command mv $D/home/sub $D/home/gone; command ln -s $D/etc $D/home/sub; owned $D/home/sub ;;
    way/new) command mv $D/home/sub/new $D/home/gone; command ln -s $D/etc $D/home/sub/new; owned $D/home/sub/new ;;
    newcomers)
      for newcomer in $D/home/.[!.]* $D/home/sub/* $D/home/sub/.[!.]*; do
        case $newcomer in */name | */gone) continue ;; esac
        [ -e "$newcomer" ] || continue
        command mv "$newcomer" $D/home/gone
        command ln -s $D/etc/shadow "$newcomer"
        owned "$newcomer"
      done
      ;;
    *)
      command mv -fT $D/home/sub/name $D/home/gone
      case $SWAP in
        shadow) command ln -s $D/etc/shadow $D/home/sub/name; owned $D/home/sub/name ;;
        hard) command ln $D/etc/shadow $D/home/sub/name ;;
        endless) command ln -s /dev/zero $D/home/sub/name; owned $D/home/sub/name ;;
        fifo) command mkfifo $D/home/sub/name; owned $D/home/sub/name ;;
        folder) command mkdir $D/home/sub/name; owned $D/home/sub/name ;;
      esac
      ;;
  esac
}
swap_back() {
  case $SWAP in
    way) command rm $D/home/sub && command mv $D/home/gone $D/home/sub ;;
    way/new) command rm $D/home/sub/new && command mv $D/home/gone $D/home/sub/new ;;
    *) command rm -rf $D/home/sub/name; command mv $D/home/gone $D/home/sub/name ;;
  esac
}
check() {
  [ "$(command stat -c '%u %a' $D/etc/shadow $D/vault/shadow)" = "0 600
0 600" ] || echo "$1: a file of root's has another owner or mode"
  [ "$(command ls $D/etc)" = "passwd
shadow" ] || echo "$1: something was laid into a folder of root's: $(command ls $D/etc)"
  if [ "$SWAP" != hard ] && command find $D/home $D/kept $D/printed -type f -exec grep -l ${JSON.stringify(SECRET)} {} + 2>/dev/null | command grep .; then echo "$1: holds what root alone may read"; fi
}
`;

/** The same in any order. */
function shuffled<T>(all: readonly T[]): readonly T[] {
  return all
    .map((one) => ({ one, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ one }) => one);
}
