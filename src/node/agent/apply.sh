#!/bin/sh
# How a bundle becomes files: fetching it, laying what differs from what was laid before, taking away what left it, running
# the hooks of what changed, and telling the server how the node stands. Read by the agent's programs, not run.
#
# Kept in /var/lib/reveille, so that a program that was cut off is followed by one that finishes its work:
#   applied    the manifest as it was laid       hooks, hook/  which command watches which file; the commands
#   laid       the paths that were ever laid     pending       hooks that are still to run
#   original/  what the image had in their place made          folders that were made for them
#   seen       what the laid files looked like right after (checksum or target, mode, owner, group, path)
# shellcheck disable=SC2034 # what is set here is used there

HOOK_SECONDS=300
LARGEST_MANIFEST=1048576
MOST_DRIFT_TOLD=100

# ------------------------------------------------------------------------------------------------- one at a time, troubles

# begin_applying NAME: the folders and files that the rest counts on; WORK is this program's own.
begin_applying() {
  WORK=$RUN/$1
  mkdir -p "$WORK" "$KEPT/hook" "$KEPT/original"
  chmod 0700 "$WORK" "$KEPT/hook" "$KEPT/original"
  touch "$KEPT/applied" "$KEPT/hooks" "$KEPT/laid" "$KEPT/pending" "$KEPT/made" "$KEPT/seen"
  PROBLEMS=0 FAILURE='' CHANGED=0 REMOVED=0
}

# hold NAME: takes a lock; fails while a living program of ours has it.
hold() {
  until ln -s $$ "$RUN/$1" 2>/dev/null; do
    holder=$(readlink "$RUN/$1") || continue
    if [ "$holder" != $$ ] && [ -r "/proc/$holder/cmdline" ] && tr '\000' ' ' <"/proc/$holder/cmdline" | grep -q reveille-; then return 1; fi
    rm -f "$RUN/$1"
  done
}

lock() { until hold applying; do sleep 1; done; }
unlock() { rm -f "$RUN/applying"; }

# complain DETAIL [OUTPUT]: the step that began failed, and the rest goes on. A running node tells the same trouble once.
complain() {
  PROBLEMS=$((PROBLEMS + 1))
  [ -n "$FAILURE" ] || FAILURE="$STEP: $1"
  if [ -n "${DURING-}" ]; then
    printf '%s: %s\n' "$STEP" "$1" >>"$WORK/troubles"
    if grep -qxF -- "$STEP: $1" "$WORK/troubles.before"; then return; fi
  fi
  fail "$@"
}

# ----------------------------------------------------------------------------------------------------------- the bundle

# fetch_bundle [MANIFEST]: asks for the bundle once and unpacks it into stage/; of files whose lines stand in MANIFEST only
# the lines come. Nothing of a bundle whose checksum is wrong is looked at. That the server does not answer, or refuses, it
# knows itself: only a bad answer is told. Fails with 1, or with 2 if the server says that the node has it all.
fetch_bundle() {
  request /node/v1/bundle "$WORK/bundle.tar" ${1:+"$1"}
  [ "$STATUS" != 204 ] || return 2
  if [ "$STATUS" != 200 ]; then
    REFUSAL=$(words "$WORK/bundle.tar")
    say "bundle: $REFUSAL"
    return 1
  fi
  wanted=$(checksum_header)
  got=$(sha256sum <"$WORK/bundle.tar")
  got=${got%% *}
  if [ "$wanted" != "$got" ]; then
    try_again "the bundle's checksum is $got, the server announced ${wanted:-none}"
    return 1
  fi
  rm -rf "$WORK/stage"
  if ! mkdir -m 0700 "$WORK/stage" || ! tar -xf "$WORK/bundle.tar" -C "$WORK/stage" 2>"$WORK/trouble"; then
    try_again "the bundle does not unpack: $(words /dev/null)"
    return 1
  fi
  rm -f "$WORK/bundle.tar"
  # A server of before has no hooks.
  [ -e "$WORK/stage/hooks" ] || : >"$WORK/stage/hooks"
}

# name_of MANIFEST HOOKS: what a bundle is called: the checksum of the two.
name_of() {
  name=$(cat "$1" "$2" 2>/dev/null | sha256sum)
  printf %s "${name%% *}"
}

# plan MANIFEST: compares the staged bundle with MANIFEST, whose files are as they should be. Writes to plan.lay the lines to
# lay (`first` where the path was never laid, else `again`, before the line), to plan.remove the paths to take away, and
# to plan.run the hooks that watch any of them, in order.
plan() {
  : >"$WORK/plan.lay"
  : >"$WORK/plan.remove"
  : >"$WORK/plan.run"
  # shellcheck disable=SC2016 # awk's own variables
  awk -F '\t' -v lay="$WORK/plan.lay" -v remove="$WORK/plan.remove" -v run="$WORK/plan.run" '
    function once(hook) {
      if (!(hook in runs)) print hook > run
      runs[hook] = 1
    }
    n == 1 { right[$0] = 1 }
    n == 2 { laid[$0] = 1 }
    n == 3 {
      wanted[$6] = 1
      if (!($0 in right)) {
        changed[$6] = 1
        print (($6 in laid) ? "again" : "first") "\t" $0 > lay
      }
    }
    n == 4 && ($2 in changed) { once($1) }
    n == 5 && ($2 in laid) && !($2 in wanted) { once($1) }
    END { for (path in laid) if (!(path in wanted)) print path > remove }
  ' n=1 "$1" n=2 "$KEPT/laid" n=3 "$WORK/stage/manifest" n=4 "$WORK/stage/hooks" n=5 "$KEPT/hooks"
}

# lay_bundle MANIFEST: lays what differs from MANIFEST and takes away what left the bundle. At boot a file that cannot be
# laid ends it (the site may be mended, and the next try fetches anew); later it is told, and tried again next time.
lay_bundle() {
  begin files
  if ! plan "$1" 2>"$WORK/trouble" || ! keep_hooks 2>"$WORK/trouble"; then
    complain 'what is to be done could not be worked out' "$WORK/trouble"
    return 1
  fi
  units=''
  : >"$WORK/changed"
  : >"$WORK/removed"
  : >"$WORK/failed"
  while IFS=$TAB read -r when kind mode owner group blob path; do
    # A default gives way to a link: whatever made it keeps that file itself (resolv.conf).
    if [ "$kind" = default ] && [ -L "$path" ]; then continue; fi
    if lay "$when" "$kind" "$mode" "$owner" "$group" "$blob" "$path" 2>"$WORK/trouble"; then
      printf '%s\n' "$path" >>"$WORK/changed"
      case $path in */systemd/system/*) units=yes ;; esac
    elif [ -z "${DURING-}" ] && [ "$kind" != replace ]; then
      fail "$path could not be laid" "$WORK/trouble"
      return 1
    else
      complain "$path could not be laid" "$WORK/trouble"
      printf '%s\n' "$path" >>"$WORK/failed"
    fi
  done <"$WORK/plan.lay"
  remove_left
  # What failed is left out, so that it is tried again.
  cp "$WORK/stage/hooks" "$KEPT/hooks.new" && mv -f "$KEPT/hooks.new" "$KEPT/hooks"
  awk -F '\t' 'n == 1 { failed[$0] = 1; next } !($6 in failed)' n=1 "$WORK/failed" n=2 "$WORK/stage/manifest" \
    >"$KEPT/applied.new" && mv -f "$KEPT/applied.new" "$KEPT/applied"
  rm -rf "$WORK/stage"
  [ -z "$units" ] || ! has_systemd || systemctl daemon-reload
  CHANGED=$(($(wc -l <"$WORK/changed")))
  REMOVED=$(($(wc -l <"$WORK/removed")))
  if [ -z "${DURING-}" ]; then
    finish "$CHANGED files"
  elif [ "$((CHANGED + REMOVED))" != 0 ]; then
    finish "$CHANGED changed, $REMOVED removed"
  fi
}

# Notes the hooks that are to run before any file changes: they run even if the agent is cut off in the middle.
keep_hooks() {
  while IFS=$TAB read -r hook _; do
    [ -e "$KEPT/hook/$hook" ] || { cp "$WORK/stage/data/$hook" "$KEPT/hook.new" && mv -f "$KEPT/hook.new" "$KEPT/hook/$hook"; }
  done <"$WORK/stage/hooks"
  awk '!known[$0]++' "$KEPT/pending" "$WORK/plan.run" >"$KEPT/pending.new" && mv -f "$KEPT/pending.new" "$KEPT/pending"
}

# lay WHEN KIND MODE OWNER GROUP BLOB PATH: puts one file in place, whole or not at all.
lay() {
  case $7 in /*) ;; *) echo "$7: not an absolute path" >&2 && return 1 ;; esac
  if [ -d "$7" ] && [ ! -L "$7" ]; then
    echo "$7: is a folder on this machine" >&2
    return 1
  fi
  if [ "$2" = replace ] && [ "$1" = first ] && [ ! -f "$7" ]; then
    echo "$7: the image has no such file in which tokens could be replaced" >&2
    return 1
  fi
  if [ "$1" = first ]; then keep_original "$7" || return 1; fi
  beside=$7.reveille-new
  make_folder "${7%/*}" || return 1
  if [ -L "$beside" ] || [ -e "$beside" ]; then rm -f "$beside"; fi
  shift
  if ! make "$@" || ! put "$beside" "$6"; then
    rm -f "$beside"
    return 1
  fi
}

# make KIND MODE OWNER GROUP BLOB PATH: the file beside its place, which nobody else may read until it has its owner.
make() {
  case $1 in
    link) ln -s "$(cat "$WORK/stage/data/$5")" "$beside" && chown -h "$3:$4" "$beside" ;;
    replace) replace "$WORK/stage/data/$5" "$6" ;;
    *)
      umask 077
      cp "$WORK/stage/data/$5" "$beside"
      copied=$?
      umask 022
      [ "$copied" = 0 ] && chown "$3:$4" "$beside" && chmod "$2" "$beside"
      ;;
  esac
}

# replace TOKENS PATH: the image's own file with each token (lines of token, tab, value) in its value's place, literally. Where
# two tokens begin at the same place the longer one counts; what was put in is not looked at again.
replace() {
  original=$KEPT/original$2
  if [ -L "$original" ] || [ ! -f "$original" ]; then
    echo "$2: is not a file of the image: a link, or made here" >&2
    return 1
  fi
  if [ "$(tr -d '\000' <"$original" | wc -c)" != "$(wc -c <"$original")" ]; then
    echo "$2: is not text" >&2
    return 1
  fi
  ended=''
  [ -n "$(tail -c 1 "$original")" ] || ended=yes
  # The copy has the owner and mode that the text is then written into.
  # shellcheck disable=SC2016 # awk's own variables
  cp -p "$original" "$beside" && TOKENS=$1 ENDED=$ended awk '
    BEGIN {
      ORS = ""
      while ((getline line < ENVIRON["TOKENS"]) > 0) {
        tab = index(line, "\t")
        if (tab < 2) continue
        token[++tokens] = substr(line, 1, tab - 1)
        value[tokens] = substr(line, tab + 1)
      }
    }
    {
      rest = $0
      out = ""
      while (rest != "") {
        first = 0
        for (i = 1; i <= tokens; i++) {
          at = index(rest, token[i])
          if (at && (!first || at < first || (at == first && length(token[i]) > length(token[which])))) {
            first = at
            which = i
          }
        }
        if (!first) break
        out = out substr(rest, 1, first - 1) value[which]
        rest = substr(rest, first + length(token[which]))
      }
      print before out rest
      before = "\n"
    }
    END { if (NR && ENVIRON["ENDED"] != "") print "\n" }
  ' <"$original" >"$beside"
}

# put NEW PATH: renames, also where PATH is a link to a folder, into which a plain mv would move it.
put() {
  if [ -L "$2" ] && [ -d "$2" ]; then
    mv -fT "$1" "$2" 2>/dev/null || { rm -f "$2" && mv -f "$1" "$2"; }
  else
    mv -f "$1" "$2"
  fi
}

# keep_original PATH: notes that PATH is ours from now on, with what the image has there.
keep_original() {
  if [ -L "$1" ] || [ -e "$1" ]; then
    original=$KEPT/original$1
    mkdir -p "${original%/*}" && rm -f "$original.reveille-new" &&
      cp -pP "$1" "$original.reveille-new" && mv -f "$original.reveille-new" "$original" || return 1
  fi
  printf '%s\n' "$1" >>"$KEPT/laid"
}

# make_folder PATH: with its parents; those that were not there are noted as ours.
make_folder() {
  if [ -z "$1" ] || [ -d "$1/" ]; then return 0; fi
  make_folder "${1%/*}" && mkdir "$1" && printf '%s\n' "$1" >>"$KEPT/made"
}

# Takes away what left the bundle: the image's file comes back, or the file goes, and folders of ours that are empty then.
remove_left() {
  while IFS= read -r path; do
    if remove "$path" 2>"$WORK/trouble"; then
      printf '%s\n' "$path" >>"$WORK/removed"
      case $path in */systemd/system/*) units=yes ;; esac
    else
      complain "$path could not be taken away" "$WORK/trouble"
    fi
  done <"$WORK/plan.remove"
  [ -s "$WORK/removed" ] || return 0
  awk 'n == 1 { gone[$0] = 1; next } !($0 in gone)' n=1 "$WORK/removed" n=2 "$KEPT/laid" >"$KEPT/laid.new" &&
    mv -f "$KEPT/laid.new" "$KEPT/laid"
  while IFS= read -r path; do rm -f "$KEPT/original$path"; done <"$WORK/removed"
}

remove() {
  if [ -d "$1" ] && [ ! -L "$1" ]; then
    echo "$1: is a folder on this machine" >&2
    return 1
  fi
  original=$KEPT/original$1
  if [ -L "$original" ] || [ -e "$original" ]; then
    make_folder "${1%/*}" && rm -f "$1.reveille-new" && cp -pP "$original" "$1.reveille-new" && put "$1.reveille-new" "$1"
  else
    rm -f "$1" && remove_empty "${1%/*}"
  fi
}

remove_empty() {
  if ! grep -qxF -- "$1" "$KEPT/made" || ! rmdir "$1" 2>/dev/null; then return 0; fi
  awk -v folder="$1" '$0 != folder' "$KEPT/made" >"$KEPT/made.new"
  mv -f "$KEPT/made.new" "$KEPT/made"
  remove_empty "${1%/*}"
}

# ------------------------------------------------------------------------------------------------ what others did to files

# picture PATHS: a line for each of these files that is there: checksum or target, mode, owner, group, path.
picture() {
  : >"$WORK/sums"
  while IFS= read -r path; do
    if [ -L "$path" ]; then
      printf '>%s\t%s\n' "$(readlink "$path")" "$path" >>"$WORK/sums"
    elif [ -f "$path" ]; then
      printf '%s\000' "$path"
    fi
  done <"$1" >"$WORK/plain"
  xargs -0 -r sha256sum <"$WORK/plain" 2>/dev/null >"$WORK/hashed"
  tr '\n' '\000' <"$1" | xargs -0 -r stat -c "%a$TAB%u$TAB%g$TAB%n" 2>/dev/null >"$WORK/modes"
  # sha256sum of coreutils writes \\ for \ in a name, and a \ before such a line.
  awk -F '\t' '
    n == 1 { sum[$2] = $1 }
    n == 2 {
      name = $0
      if (substr(name, 1, 1) == "\\") {
        name = substr(name, 2)
        parts = split(name, part, /\\\\/)
        name = part[1]
        for (i = 2; i <= parts; i++) name = name "\\" part[i]
      }
      sum[substr(name, 67)] = substr(name, 1, 64)
    }
    n == 3 && ($4 in sum) { print sum[$4] "\t" $0 }
  ' n=1 "$WORK/sums" n=2 "$WORK/hashed" n=3 "$WORK/modes"
}

# Notes what the files that were just laid look like.
remember() {
  picture "$WORK/changed" >"$WORK/new"
  awk -F '\t' 'n < 3 { old[$0] = 1; next } !($5 in old)' n=1 "$WORK/changed" n=2 "$WORK/removed" n=3 "$KEPT/seen" \
    >"$KEPT/seen.new"
  cat "$WORK/new" >>"$KEPT/seen.new"
  mv -f "$KEPT/seen.new" "$KEPT/seen"
}

# Writes to drift the laid files that are no longer as they were: `missing`, `content` or `access:MODE:OWNER:GROUP`, tab, path.
find_drift() {
  cut -f 5 "$KEPT/seen" >"$WORK/paths"
  picture "$WORK/paths" >"$WORK/now"
  awk -F '\t' '
    n == 1 { now[$5] = $0; sum[$5] = $1; access[$5] = $2 ":" $3 ":" $4; next }
    !($5 in now) { print "missing\t" $5; next }
    now[$5] != $0 { print (sum[$5] == $1 ? "access:" access[$5] : "content") "\t" $5 }
  ' n=1 "$WORK/now" n=2 "$KEPT/seen" >"$WORK/drift"
}

# ---------------------------------------------------------------------------------------------------------------- hooks

# Runs the hooks that are pending, each once. One that fails stays pending: the next refresh tries it again.
run_hooks() {
  [ -s "$KEPT/pending" ] || return 0
  : >"$WORK/unfinished"
  while IFS= read -r hook; do
    begin hook
    IFS= read -r command <"$KEPT/hook/$hook"
    as_root timeout "$HOOK_SECONDS" sh "$KEPT/hook/$hook" >"$WORK/hook.log" 2>&1 </dev/null
    code=$?
    if [ "$code" = 0 ]; then
      finish "$command"
    else
      [ "$code" != 124 ] || code="124 (stopped after $HOOK_SECONDS s)"
      complain "$command: ended with exit code $code" "$WORK/hook.log"
      printf '%s\n' "$hook" >>"$WORK/unfinished"
    fi
  done <"$KEPT/pending"
  mv -f "$WORK/unfinished" "$KEPT/pending"
  for script in "$KEPT"/hook/*; do
    hook=${script##*/}
    grep -q "^$hook" "$KEPT/hooks" || grep -qxF "$hook" "$KEPT/pending" || rm -f "$script"
  done
}

# as_root COMMAND...: runs what the operator wrote: in /, with what there is to know of the node.
as_root() {
  (
    cd / || exit 1
    unset LC_ALL
    export HOME=/root REVEILLE_NODE="$NODE" REVEILLE_SERVER="$SERVER" REVEILLE_IP="$IP" REVEILLE_MAC="$MAC" \
      REVEILLE_BOOT_NIC="$NIC"
    exec "$@"
  )
}

# ------------------------------------------------------------------------------------------------ name, key and settings.sh

# The kernel's name for this machine becomes what /etc/hostname says; systemd follows by itself.
set_name() {
  begin hostname
  name=$(sed -n 's/#.*//; s/[[:space:]]//g; /./{p;q;}' /etc/hostname 2>/dev/null)
  case $name in
    '' | [.-]* | *[!A-Za-z0-9.-]*)
      complain "/etc/hostname holds no host name: $name"
      return
      ;;
  esac
  if { printf '%s\n' "$name" >/proc/sys/kernel/hostname; } 2>/dev/null || hostname "$name" 2>"$WORK/trouble"; then
    finish "$name"
  else
    complain "the name $name could not be set" "$WORK/trouble"
  fi
}

# Adds the key of the kernel line to root's, once.
add_key() {
  [ -n "$KEY_TYPE" ] || return 0
  begin sshpub
  case $KEY_TYPE in
    ssh-ed25519 | ssh-rsa | ecdsa-sha2-nistp256 | ecdsa-sha2-nistp384 | ecdsa-sha2-nistp521 | \
      sk-ssh-ed25519@openssh.com | sk-ecdsa-sha2-nistp256@openssh.com) ;;
    *) KEY_DATA='' ;;
  esac
  case $KEY_DATA in
    AAAA*[!A-Za-z0-9+/=]* | AAAA) KEY_DATA='' ;;
    AAAA*) ;;
    *) KEY_DATA='' ;;
  esac
  if [ -z "$KEY_DATA" ]; then
    complain 'sshpub= on the kernel line is not a public key of a known type'
    return
  fi
  keys=/root/.ssh/authorized_keys
  if (
    umask 077
    mkdir -p /root/.ssh && chmod 0700 /root/.ssh || exit 1
    if ! grep -qF "$KEY_TYPE $KEY_DATA" "$keys" 2>/dev/null; then
      {
        if [ -s "$keys" ]; then
          cat "$keys"
          # A last line without its end must not swallow the key.
          [ -z "$(tail -c 1 "$keys")" ] || echo
        fi
        echo "$KEY_TYPE $KEY_DATA"
      } >"$keys.reveille-new" && mv -f "$keys.reveille-new" "$keys" || exit 1
    fi
    chmod 0600 "$keys"
  ) 2>"$WORK/trouble"; then
    finish
  else
    complain "the key could not be added to $keys" "$WORK/trouble"
  fi
}

# Runs the node's settings.sh as root. Its output goes to a file, not through a pipe: what it leaves running in the
# background would hold a pipe open.
run_settings() {
  script=$KEPT/settings.sh
  [ -e "$script" ] || return 0
  start settings
  log=$RUN/settings.log
  (umask 077 && : >"$log")
  if [ "$(head -c 2 "$script")" = '#!' ]; then set -- "$script"; else set -- sh "$script"; fi
  as_root "$@" >>"$log" 2>&1 </dev/null
  code=$?
  if [ "$code" = 0 ]; then
    cat "$log"
    finish
  else
    complain "settings.sh ended with exit code $code" "$log"
  fi
}

# ---------------------------------------------------------------------------------------------------- how the node stands

# write_news MS [SYNC]: what the server is to know after an apply: which bundle the node has, what failed, which files others
# changed. Nothing is written where it has been told the same and nobody waits for it.
write_news() {
  {
    printf 'boot=%s\nbundle=%s\n' "$BOOT" "$(name_of "$KEPT/applied" "$KEPT/hooks")"
    [ -z "$FAILURE" ] || printf 'failed=%s\n' "$(printf %s "$FAILURE" | plain | head -c 500)"
    printf 'drifted=%s\n' $(($(wc -l <"$WORK/drift")))
    head -n "$MOST_DRIFT_TOLD" "$WORK/drift" | sed 's/^/drift=/'
    echo
    [ "$(wc -c <"$KEPT/applied")" -gt "$LARGEST_MANIFEST" ] || cat "$KEPT/applied"
  } >"$RUN/standing"
  if [ -z "${2-}" ] && [ "$((CHANGED + REMOVED))" = 0 ] && cmp -s "$RUN/standing" "$RUN/told"; then return; fi
  {
    printf 'reveille.applied=1\nchanged=%s\nremoved=%s\nms=%s\n' "$CHANGED" "$REMOVED" "$1"
    [ -z "${2-}" ] || printf 'sync=%s\n' "$2"
    cat "$RUN/standing"
  } >"$RUN/news.new"
  mv -f "$RUN/news.new" "$RUN/news"
}

# Delivers the news, if there are any. News that the server will never take are dropped.
deliver_news() {
  [ -e "$RUN/news" ] || return 0
  request /node/v1/applied "$WORK/answer" "$RUN/news"
  case $STATUS in
    200 | 204) ;;
    400 | 404 | 413) say "not taken by the server: $(words "$WORK/answer")" ;;
    *) return 1 ;;
  esac
  cp "$RUN/standing" "$RUN/told"
  rm -f "$RUN/news"
}
