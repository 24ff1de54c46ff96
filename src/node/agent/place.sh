#!/bin/sh
# Work on files in folders that other users may write to. Read by the agent's programs, not run.
#
# A path is only as good as the folders on its way: who may write to one of them can make a name in it mean another file
# between two commands. So a folder is entered component by component, and what follows acts on names in the working
# directory, which stays the same folder whatever becomes of its path. New files are made whole in a root-only folder of
# the same mount, and appear by a rename; existing ones are linked into that folder before anything looks at them.
#
# A link on the way is followed where only root can have laid it (/lib, /var/run). Functions fail with 1, or with 2
# where the cause is something that another user of this machine may have made.
# shellcheck disable=SC2034 # what is set here is used there

MOST_LINKS=40

# The folder of open file 8, in which `at` lets things be made, and the names that are used in it.
STAGED=/proc/self/fd/8
NEW=$STAGED/reveille-new
PIN=$STAGED/reveille-pin
NEW_FOLDER=$STAGED/reveille-folder

STAGE=.reveille-stage STAGES=/dev/null TOPS='' MAKING=''
JUDGED='' VERDICT='' CHECKED=none
MOVE='mv -fT'

# begin_placing PROGRAM: each program has a stage of its own on each mount. Takes away what a run that was cut off left.
begin_placing() {
  unset CDPATH
  STAGE=.reveille-$1
  STAGES=$KEPT/stages-$1
  touch "$STAGES"
  look_anew
  empty_stage "$RUN"
  empty_stage "$KEPT"
  leave_stages
  # An old busybox has no -T, coreutils before 9.2 no --no-copy.
  MOVE=''
  for move in 'mv --no-copy -fT' 'mv -fT'; do
    : >"$WORK/moved"
    if $move "$WORK/moved" "$WORK/move" 2>/dev/null; then
      MOVE=$move
      break
    fi
  done
  rm -f "$WORK/moved" "$WORK/move"
}

# look_anew: forgets what is known of folders and mounts, which root may have changed since.
look_anew() {
  JUDGED='' VERDICT='' CHECKED=none
  for mount in $TOPS; do unset "TOP_$mount"; done
  TOPS=''
  # The mounts of these have a root-only folder already.
  for top in "$RUN" "$KEPT"; do
    if { mount_of 9; } 9<"$top"; then note_top "$MOUNT" "$top"; fi
  done
}

note_top() {
  TOPS="$TOPS $1"
  eval "TOP_$1=\$2"
}

# refuse WORDS: prints why something in the working directory is left alone. 2 where another user may have made it so.
refuse() {
  echo "$1" >&2
  if only_roots; then return 1; fi
  return 2
}

# owner_of NAME: whose it is, in words.
owner_of() { stat -c '%U (%u)' "$1" 2>/dev/null || echo "?"; }

# only_roots: whether root alone can change what the names on the way to the working directory, or those in it, mean.
only_roots() {
  if [ "$PWD" != "$JUDGED" ]; then
    JUDGED=$PWD VERDICT=no
    set -- /
    above='' below=${PWD#/}
    while [ -n "$below" ]; do
      above=$above/${below%%/*}
      set -- "$@" "$above"
      case $below in */*) below=${below#*/} ;; *) below='' ;; esac
    done
    if roots_alone "$(stat -c '%u %a' "$@" 2>/dev/null || echo 1 0)"; then VERDICT=yes; fi
  fi
  [ "$VERDICT" = yes ]
}

# roots_alone LINES: whether each line of owner and mode gives write access to root only.
roots_alone() {
  # shellcheck disable=SC2086 # numbers
  set -- $1
  while [ $# -gt 0 ]; do
    [ "$1" = 0 ] || return 1
    case $2 in *[2367] | *[2367]?) return 1 ;; esac
    shift 2
  done
}

# enter FOLDER [make]: makes it the working directory; `make` makes what is missing of it, and notes it in `made`. Fails with 3
# where it is missing.
enter() {
  way=$1 here='' links=0
  cd -P / || return 1
  while [ -n "$way" ]; do
    part=${way%%/*}
    case $way in */*) way=${way#*/} ;; *) way='' ;; esac
    case $part in
      '' | .) continue ;;
      ..)
        cd -P .. && here=${here%/*} || return 1
        [ "$PWD" = "${here:-/}" ] || { moved; return; }
        continue
        ;;
    esac
    if [ -L "./$part" ]; then
      links=$((links + 1))
      if [ "$links" -gt "$MOST_LINKS" ]; then
        echo "$here/$part: too many links" >&2
        return 2
      fi
      if ! roots_alone "$(stat -c '%u %a' . 2>/dev/null || echo 1 0) $(stat -c '%u 0' "./$part" 2>/dev/null || echo 1 0)"; then
        echo "$here/$part is a link of $(owner_of "./$part") in a folder of $(owner_of .): not followed" >&2
        return 2
      fi
      target=$(readlink "./$part")
      case $target in
        /*)
          cd -P / || return 1
          here=''
          ;;
      esac
      way=$target/$way
      continue
    fi
    if [ ! -d "./$part" ]; then
      if [ -e "./$part" ]; then
        refuse "$here/$part: is not a folder on this machine"
        return
      fi
      [ -n "${2-}" ] || return 3
      umask 022
      mkdir "./$part" && printf '%s\n' "$here/$part" >>"$KEPT/made"
      made=$?
      umask 077
      [ "$made" = 0 ] || return 1
    fi
    cd -P "./$part" || return 1
    here=$here/$part
    [ "$PWD" = "$here" ] || { moved; return; }
  done
}

moved() {
  echo "${here:-/}: became something else while it was entered: not followed" >&2
  return 2
}

# mount_of FD: sets MOUNT to the number of the mount that the open file is on.
mount_of() {
  MOUNT=''
  while read -r word number; do
    if [ "$word" = mnt_id: ]; then MOUNT=$number; fi
  done <"/proc/self/fdinfo/$1"
  [ -n "$MOUNT" ]
}

# find_top: sets TOP to the highest folder of the mount that the working directory, open as 7, is on.
find_top() {
  mount_of 7 || return 1
  mount=$MOUNT
  eval "TOP=\${TOP_$mount-}"
  [ -z "$TOP" ] || return 0
  while [ "$PWD" != / ] && { mount_of 9; } 9<.. && [ "$MOUNT" = "$mount" ]; do cd -P .. || return 1; done
  TOP=$PWD
  note_top "$mount" "$TOP"
}

# enter_stage TOP [make]: enters the root-only folder of that mount.
enter_stage() {
  enter "$1" || return
  if [ ! -d "./$STAGE" ] && [ ! -L "./$STAGE" ] && [ -n "${2-}" ]; then
    printf '%s\n' "$1" >>"$STAGES"
    umask 077
    mkdir "./$STAGE" || { echo "$1: root can make no folder of its own there, in which to prepare the file" >&2 && return 1; }
  fi
  if [ ! -d "./$STAGE" ] || ! cd -P "./$STAGE" || [ "$PWD" != "$here/$STAGE" ]; then
    echo "$1/$STAGE: is not root's own" >&2
    return 2
  fi
}

# at FOLDER COMMAND...: runs COMMAND with FOLDER as its working directory and the stage of its mount as STAGED. With
# MAKING=make, makes the folder where it is missing.
at() {
  enter "$1" "$MAKING" || return
  shift
  { in_stage "$@"; } 7<.
  at_outcome=$?
  cd /
  return "$at_outcome"
}

in_stage() {
  folder_of=''
  if only_roots; then folder_of=$PWD; fi
  find_top && enter_stage "$TOP" make || return
  { is_stage && cd -P /proc/self/fd/7 && "$@"; } 8<.
}

# is_stage: whether open file 8 is a folder that only root reaches, and a rename from it to folder 7 does not copy. Looked at once
# for a folder in which no other user can change that.
is_stage() {
  case $TOP in "$KEPT" | "$RUN") [ "$folder_of" != "$CHECKED" ] || return 0 ;; esac
  # shellcheck disable=SC2046 # numbers
  set -- $(stat -c '%d %u %a' /proc/self/fd/7/. /proc/self/fd/8/.)
  case "${5-} ${6-}" in
    '0 700' | '0 '?700) ;;
    *)
      echo "$PWD: is not root's own" >&2
      return 2
      ;;
  esac
  [ "$1" = "$4" ] || { echo "$PWD: is not on the same volume as the file that is to be written" >&2 && return 1; }
  CHECKED=${folder_of:-none}
}

# pin NAME: sets PINNED to what NAME in the working directory is now, which stays that whatever becomes of the name. Fails if it
# is neither file nor link.
pin() {
  unpin
  PINNED=$PIN
  if ! ln "./$1" "$PIN" 2>/dev/null; then
    # A file system without hard links.
    only_roots || { echo "$PWD/$1: cannot be held fast, and others may swap it" >&2 && return 2; }
    PINNED=./$1
  fi
  [ -L "$PINNED" ] || [ -f "$PINNED" ] || { unpin; refuse "$PWD/$1: is neither a file nor a link on this machine"; }
}

unpin() { if [ -L "$PIN" ] || [ -e "$PIN" ]; then rm -f "$PIN"; fi; }

# put NAME [FOLDER]: what was made as NEW, or FOLDER, takes the place of NAME in the working directory.
put() {
  if [ -n "$MOVE" ]; then
    $MOVE "${2:-$NEW}" "./$1"
  elif ! only_roots; then
    echo "$PWD/$1: the mv of this machine has no -T, without which others can lead it astray" >&2
    return 2
  else
    # A plain mv would move it into the folder that a link points at.
    if [ -L "./$1" ] && [ -d "./$1" ]; then rm -f "./$1"; fi
    mv -f "${2:-$NEW}" "./$1"
  fi
}

# empty_stage TOP: only names of ours are removed: another user's folder may hold another one of root's under this name.
empty_stage() { if enter_stage "$1" 2>/dev/null; then rm -f ./reveille-new ./reveille-pin; rmdir ./reveille-folder 2>/dev/null; fi; return 0; }

# leave_stages: takes the stages away that stand where all can see them.
leave_stages() {
  while IFS= read -r top; do
    if empty_stage "$top" && [ "$top" != "$KEPT" ] && [ "$top" != "$RUN" ] && enter "$top" 2>/dev/null; then
      rmdir "./$STAGE" 2>/dev/null
    fi
  done <"$STAGES"
  : >"$STAGES"
  cd /
}
