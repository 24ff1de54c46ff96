#!/bin/sh
# How a bundle becomes files: fetching it, writing the files that differ from the ones written before, removing those that left
# the bundle, running the hooks of changed files, and reporting the node's state to the server. Sourced by the agent's programs,
# not run.
#
# Kept in /var/lib/reveille, so that after an interrupted program the next one finishes its work:
#   applied    the manifest as it was written    hooks, hook/  which command watches which file; the commands
#   laid       the paths that were ever written  pending       hooks that are still to run
#   original/  what the image had in their place made          folders that were made for them
#   folders    folders with a mode of their own: what they had before (mode, owner, group; - where they were made), device:inode, path
#   seen       what the written files looked like then (bytes:checksum, >target or / for a folder, mode, owner, group, path)
#   stages-*   mounts on which a folder for files that are being written was made (see place.sh)
# shellcheck disable=SC2034 # what is set here is used there

# shellcheck source=place.sh
. "$LIB/place.sh"

HOOK_SECONDS=300
# settings.sh is ended after this time, unless the site sets another one: longer than packages, firmware or a RAID take.
SETTINGS_SECONDS=3600
# Processes have this long to end by themselves.
GRACE_SECONDS=10
LARGEST_MANIFEST=1048576
# What scripts print is kept in RAM: of more than this the beginning is dropped, and the end kept.
LARGEST_OUTPUT=4194304
END_OF_OUTPUT=262144
MOST_DRIFT_TOLD=100
# What another user put in the place of a file is kept up to this size, and copied this long.
LARGEST_OF_OTHERS=67108864
COPY_SECONDS=60

# ------------------------------------------------------------------------------------------------- one at a time, troubles

# begin_applying NAME: the folders and files that the rest counts on; WORK is this program's own.
begin_applying() {
  WORK=$RUN/$1
  mkdir -p "$WORK" "$KEPT/hook" "$KEPT/original"
  chmod 0700 "$WORK" "$KEPT/hook" "$KEPT/original"
  touch "$KEPT/applied" "$KEPT/hooks" "$KEPT/laid" "$KEPT/pending" "$KEPT/made" "$KEPT/folders" "$KEPT/seen" "$WORK/looks"
  PROBLEMS=0 FAILURE='' CHANGED=0 REMOVED=0 UNCONCLUDED=''
  begin_placing "$1"
}

# name_process PID: sets PROCESS to the number and the start time of that process, if it lives: numbers are given again, also to
# processes of other users.
name_process() {
  PROCESS=''
  [ -r "/proc/$1/stat" ] && { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
  holder=$1
  # shellcheck disable=SC2086 # numbers; the name, which may hold anything, is cut off
  set -- ${line##*) }
  case $1 in [ZXx]) ;; *) PROCESS=$holder.${20-} ;; esac
}

# hold NAME: takes a lock; fails while a living program of ours has it.
hold() {
  name_process $$
  own=$PROCESS
  until ln -s "$own" "$RUN/$1" 2>/dev/null; do
    lock_of=$(readlink "$RUN/$1") || continue
    if [ "$lock_of" != "$own" ]; then
      name_process "${lock_of%%.*}"
      [ "$PROCESS" != "$lock_of" ] || return 1
    fi
    rm -f "$RUN/$1"
  done
}

lock() { until hold applying; do sleep 1; done; }
unlock() { rm -f "$RUN/applying"; }

# complain DETAIL [OUTPUT]: the step that began failed, and the rest goes on. A running node reports the same failure once.
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

# fetch_bundle [MANIFEST]: asks for the bundle once, and for the node's token if there is none, and unpacks it into stage/; of
# files whose lines stand in MANIFEST only the lines come. A bundle with a wrong checksum is not used. The server knows its own
# refusals and outages: only a bad answer is reported. Fails with 1, or with 2 if the node has the current bundle already.
fetch_bundle() {
  has_token || ASKING="${ASKING-}&token=want"
  request /node/v1/bundle "$WORK/bundle.tar" ${1:+"$1"}
  case $STATUS in 2??) keep_token ;; esac
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
  # Folders stand by themselves: an agent of before looks at files alone.
  if [ -s "$WORK/stage/folders" ]; then
    cat "$WORK/stage/folders" "$WORK/stage/manifest" >"$WORK/whole" || return 1
    mv -f "$WORK/whole" "$WORK/stage/manifest" || return 1
  fi
  # A server of before has no hooks.
  [ -e "$WORK/stage/hooks" ] || : >"$WORK/stage/hooks"
  if [ -e "$WORK/stage/mask" ]; then add_to_mask "$WORK/stage/mask"; fi
  # A server of before, and a site that sets none, sends none.
  rm -f "$RUN/limits"
  if [ -e "$WORK/stage/limits" ]; then cp "$WORK/stage/limits" "$RUN/limits"; fi
}

# name_of MANIFEST HOOKS: what a bundle is called: the checksum of the two.
name_of() {
  name=$(cat "$1" "$2" 2>/dev/null | sha256sum)
  printf %s "${name%% *}"
}

# plan MANIFEST: compares the staged bundle with MANIFEST, whose files are as they should be. Writes to plan.lay the lines to
# lay (`first` where the path was never laid, else `again`, before the line), to plan.remove the paths to take away, to plan.leave the
# folders that are to be as they were, the innermost first, and to plan.run the hooks that watch any of them, in order.
plan() {
  : >"$WORK/plan.lay"
  : >"$WORK/plan.remove"
  : >"$WORK/plan.run"
  : >"$WORK/leaving"
  # shellcheck disable=SC2016 # awk's own variables
  awk -F '\t' -v lay="$WORK/plan.lay" -v remove="$WORK/plan.remove" -v run="$WORK/plan.run" -v leave="$WORK/leaving" '
    function once(hook) {
      if (!(hook in runs)) print hook > run
      runs[hook] = 1
    }
    n == 1 { right[$0] = 1 }
    n == 2 { laid[$0] = 1 }
    n == 3 {
      if ($1 ~ /folder$/) folder[$6] = 1
      else wanted[$6] = 1
      if (!($0 in right)) {
        changed[$6] = 1
        print (($6 in laid) ? "again" : "first") "\t" $0 > lay
      }
    }
    n == 4 && ($2 in changed) { once($1) }
    n == 5 && !($5 in folder) {
      left[$5] = 1
      print $5 > leave
    }
    n == 6 && (($2 in laid) && !($2 in wanted) || ($2 in left)) { once($1) }
    END { for (path in laid) if (!(path in wanted)) print path > remove }
  ' n=1 "$1" n=2 "$KEPT/laid" n=3 "$WORK/stage/manifest" n=4 "$WORK/stage/hooks" n=5 "$KEPT/folders" n=6 "$KEPT/hooks" &&
    sort -r "$WORK/leaving" >"$WORK/plan.leave"
}

# lay_bundle MANIFEST: lays what differs from MANIFEST and takes away what left the bundle; `conclude` ends it. At boot a file that cannot be
# laid ends it (the site may be mended, and the next try fetches anew), unless another user of the machine may be the cause,
# who must not keep it from booting; later it is reported, and tried again next time.
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
  : >"$WORK/looks"
  done_files=0
  while IFS=$TAB read -r when kind mode owner group blob path; do
    done_files=$((done_files + 1))
    still "laying $path, file $done_files"
    # A default gives way to a link: whatever made it keeps that file itself (resolv.conf).
    if [ "$kind" = default ] && [ -L "$path" ]; then continue; fi
    case $kind in
      *folder) lay_folder "$kind" "$mode" "$owner" "$group" "$path" 2>"$WORK/trouble" ;;
      *) lay "$when" "$kind" "$mode" "$owner" "$group" "$blob" "$path" 2>"$WORK/trouble" ;;
    esac
    outcome=$?
    if [ "$outcome" = 0 ]; then
      printf '%s\n' "$path" >>"$WORK/changed"
      case $path in */systemd/system/*) units=yes ;; esac
    elif [ -z "${DURING-}" ] && [ "$kind" != replace ] && [ "$kind" != default-folder ] && [ "$outcome" != 2 ]; then
      fail "$path could not be written" "$WORK/trouble"
      return 1
    else
      complain "$path could not be written" "$WORK/trouble"
      printf '%s\n' "$path" >>"$WORK/failed"
    fi
  done <"$WORK/plan.lay"
  remove_left
  leave_folders
  UNCONCLUDED=yes
  [ -z "$units" ] || ! has_systemd || systemctl daemon-reload
  CHANGED=$(($(wc -l <"$WORK/changed")))
  REMOVED=$(($(wc -l <"$WORK/removed")))
  if [ -z "${DURING-}" ]; then
    finish "$CHANGED files"
  elif [ "$((CHANGED + REMOVED))" != 0 ]; then
    finish "$CHANGED changed, $REMOVED removed"
  fi
}

# conclude: records what was written, as the last step: a run that is interrupted before does it all again. By then the name and
# the key are set, and pending hooks and settings.sh are recorded.
conclude() {
  [ -n "$UNCONCLUDED" ] || return 0
  UNCONCLUDED=''
  remember
  cp "$WORK/stage/hooks" "$KEPT/hooks.new" && mv -f "$KEPT/hooks.new" "$KEPT/hooks"
  # What failed is left out, so that it is tried again.
  awk -F '\t' 'n == 1 { failed[$0] = 1; next } !($6 in failed)' n=1 "$WORK/failed" n=2 "$WORK/stage/manifest" \
    >"$KEPT/applied.new" && mv -f "$KEPT/applied.new" "$KEPT/applied"
  rm -rf "$WORK/stage"
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
  name=${7##*/}
  case $7 in
    /*/.. | /*/. | */ | [!/]*)
      echo "$7: not the absolute path of a file" >&2
      return 1
      ;;
  esac
  MAKING='make'
  at "${7%/*}" lay_here "$@"
  laid=$?
  MAKING=''
  return "$laid"
}

# The same with the file's folder as the working directory.
lay_here() {
  if [ -d "./$name" ] && [ ! -L "./$name" ]; then
    refuse "$7: is a folder on this machine"
    return
  fi
  if [ "$2" = replace ] && [ "$1" = first ] && [ ! -f "./$name" ]; then
    echo "$7: the image has no such file in which tokens could be replaced" >&2
    return 1
  fi
  if [ "$1" = first ]; then keep_original "$7" || return; fi
  shift
  if [ -L "$NEW" ] || [ -e "$NEW" ]; then rm -f "$NEW"; fi
  make "$@" && look "$1" "$5" "$6" && put "$name"
  laid=$?
  if [ "$laid" = 0 ]; then
    printf '%s\n' "$LOOK" >>"$WORK/looks"
  else
    rm -f "$NEW"
  fi
  return "$laid"
}

# lay_folder KIND MODE OWNER GROUP PATH: a folder with that owner and mode. One of the image keeps its own, unless KIND is folder.
lay_folder() {
  name=${5##*/}
  case $5 in
    /*/.. | /*/. | */ | [!/]*)
      echo "$5: not the absolute path of a folder" >&2
      return 1
      ;;
  esac
  MAKING='make'
  at "${5%/*}" lay_folder_here "$@"
  laid=$?
  MAKING=''
  return "$laid"
}

# The same with the folder that it is in as the working directory.
lay_folder_here() {
  if [ -L "./$name" ]; then
    if [ "$1" = default-folder ] && [ -d "./$name" ]; then return 0; fi
    refuse "$5: is a link on this machine"
    return
  fi
  if [ -d "./$name" ]; then
    change_folder "$@"
  elif [ -e "./$name" ]; then
    refuse "$5: is not a folder on this machine"
  else
    make_folder "$@"
  fi
}

# make_folder KIND MODE OWNER GROUP PATH: makes it where only root reaches it.
make_folder() {
  rmdir "$NEW_FOLDER" 2>/dev/null
  if mkdir "$NEW_FOLDER" && chown "$3:$4" "$NEW_FOLDER" && chmod "0$2" "$NEW_FOLDER" &&
    note_folder "-$TAB-$TAB-" "$(stat -c '%d:%i' "$NEW_FOLDER")" "$5" && printf '%s\n' "$5" >>"$KEPT/made" &&
    look_folder "$NEW_FOLDER" "$5" && put "$name" "$NEW_FOLDER"; then
    return 0
  fi
  rmdir "$NEW_FOLDER" 2>/dev/null
  return 1
}

# change_folder KIND MODE OWNER GROUP PATH: gives owner and mode to a folder that is there: as the working directory it stays the same
# whatever becomes of its name. What others can swap is only changed if it is the one that was made here.
change_folder() {
  find_folder "$5"
  if [ -z "$BEFORE" ] && grep -qxF -- "$5" "$KEPT/made"; then BEFORE=-$TAB-$TAB-; fi
  if [ -z "$BEFORE" ] && [ "$1" = default-folder ]; then return 0; fi
  sure=''
  if only_roots; then sure=yes; fi
  cd -P "./$name" || return 1
  inode=$(stat -c '%d:%i' .)
  [ "$inode" != "$PLACED" ] || sure=yes
  if [ -z "$sure" ]; then
    echo "$5: is in a folder of others, and may be another one than it was: left as it is" >&2
    return 2
  fi
  note_folder "${BEFORE:-$(stat -c "%a$TAB%u$TAB%g" .)}" "$inode" "$5" && chown "$3:$4" . && chmod "0$2" . && look_folder . "$5"
}

# look_folder FOLDER PATH: notes the line for `seen`.
look_folder() { printf '/\t%s\t%s\n' "$(stat -c "%a$TAB%u$TAB%g" "$1")" "$2" >>"$WORK/looks"; }

# find_folder PATH: sets BEFORE and PLACED to what is noted of it, to nothing if it is not.
find_folder() {
  BEFORE='' PLACED=''
  # shellcheck disable=SC2016 # awk's own variables
  found=$(FOUND=$1 awk -F '\t' '$5 == ENVIRON["FOUND"] { print $4 "\t" $1 "\t" $2 "\t" $3 }' "$KEPT/folders")
  [ -n "$found" ] || return 0
  PLACED=${found%%"$TAB"*} BEFORE=${found#*"$TAB"}
}

# note_folder BEFORE PLACED PATH, forget_folder PATH
note_folder() { forget_folder "$3" && printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$KEPT/folders"; }
forget_folder() {
  # shellcheck disable=SC2016 # awk's own variables
  FOUND=$1 awk -F '\t' '$5 != ENVIRON["FOUND"]' "$KEPT/folders" >"$KEPT/folders.new" && mv -f "$KEPT/folders.new" "$KEPT/folders"
}

# Folders that left the bundle go if they were made here and are empty; else they are as they were.
leave_folders() {
  while IFS= read -r path; do
    leave_folder "$path" 2>"$WORK/trouble"
    outcome=$?
    cd /
    if [ "$outcome" = 0 ]; then
      forget_folder "$path"
      printf '%s\n' "$path" >>"$WORK/removed"
    else
      complain "$path could not be made what it was" "$WORK/trouble"
    fi
  done <"$WORK/plan.leave"
}

leave_folder() {
  name=${1##*/}
  find_folder "$1"
  enter "${1%/*}" || return 0
  if [ -L "./$name" ] || [ ! -d "./$name" ]; then return 0; fi
  made_here=''
  if [ "$BEFORE" = "-$TAB-$TAB-" ]; then
    made_here=yes
    above=$PWD
    if rmdir "./$name" 2>/dev/null; then
      forget_made "$1"
      remove_empty "$above"
      return 0
    fi
    # What others keep in it stays as private as it is.
    # shellcheck disable=SC2016 # awk's own variables
    FOLDER=$1/ awk -F '\t' 'index($6, ENVIRON["FOLDER"]) == 1 { found = 1 } END { exit !found }' "$WORK/stage/manifest" || return 0
  fi
  sure=''
  if only_roots; then sure=yes; fi
  cd -P "./$name" || return 1
  [ "$(stat -c '%d:%i' .)" != "$PLACED" ] || sure=yes
  [ -n "$sure" ] || return 0
  if [ -n "$made_here" ]; then
    chown 0:0 . && chmod 00755 .
  else
    owners=${BEFORE#*"$TAB"}
    chown "${owners%"$TAB"*}:${owners#*"$TAB"}" . && chmod "0${BEFORE%%"$TAB"*}" .
  fi
}

# make KIND MODE OWNER GROUP BLOB PATH: the file, with its owner and mode, where only root reaches it.
make() {
  case $1 in
    link) ln -s "$(cat "$WORK/stage/data/$5")" "$NEW" && chown -h "$3:$4" "$NEW" ;;
    replace) replace "$WORK/stage/data/$5" "$6" ;;
    *) cp "$WORK/stage/data/$5" "$NEW" && chown "$3:$4" "$NEW" && chmod "$2" "$NEW" ;;
  esac
}

# look KIND BLOB PATH: sets LOOK to the line for `seen` of what was just made. A file's blob is named by its checksum.
look() {
  case $1 in
    link) sum='>'$(readlink "$NEW") ;;
    replace)
      sum=$(sha256sum <"$NEW")
      sum=${sum%% *}
      ;;
    *) sum=$2 ;;
  esac
  access=$(stat -c "%s$TAB%a$TAB%u$TAB%g" "$NEW") || return
  [ "$1" = link ] || sum=${access%%"$TAB"*}:$sum
  LOOK=$sum$TAB${access#*"$TAB"}$TAB$3
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
  cp -p "$original" "$NEW" && TOKENS=$1 ENDED=$ended awk '
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
  ' <"$original" >"$NEW"
}

# keep_original PATH: notes that PATH is ours from now on, with what the image has there. Its folder is the working directory.
keep_original() {
  if [ -L "./$name" ] || [ -e "./$name" ]; then
    pin "$name" || return
    original=$KEPT/original$1
    if only_roots; then
      copy_original
    elif [ "$(stat -c %s "$PINNED")" -gt "$LARGEST_OF_OTHERS" ]; then
      echo "$1: is too large on this machine to be kept, more than $LARGEST_OF_OTHERS bytes" >&2
      unpin
      return 2
    else
      copy_original timeout "$COPY_SECONDS"
    fi
    copied=$?
    unpin
    [ "$copied" = 0 ] || return 1
  fi
  printf '%s\n' "$1" >>"$KEPT/laid"
}

# copy_original [COMMAND...]: the copy is made by COMMAND.
copy_original() {
  mkdir -p "${original%/*}" && rm -f "$original.reveille-new" &&
    "$@" cp -pP "$PINNED" "$original.reveille-new" && mv -f "$original.reveille-new" "$original"
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
  name=${1##*/}
  original=$KEPT/original$1
  if [ -L "$original" ] || [ -e "$original" ]; then
    MAKING='make'
    at "${1%/*}" give_back "$1"
  else
    enter "${1%/*}" && take_away "$1"
  fi
  gone=$?
  MAKING=''
  cd /
  # Its folder has gone already.
  [ "$gone" != 3 ] || gone=0
  return "$gone"
}

give_back() {
  if [ -d "./$name" ] && [ ! -L "./$name" ]; then
    refuse "$1: is a folder on this machine"
    return
  fi
  rm -f "$NEW"
  cp -pP "$original" "$NEW" && put "$name" && return
  rm -f "$NEW"
  return 1
}

take_away() {
  if [ -d "./$name" ] && [ ! -L "./$name" ]; then
    refuse "$1: is a folder on this machine"
    return
  fi
  rm -f "./$name" && remove_empty "$PWD"
}

# remove_empty FOLDER: and those above it, as far as they are ours and empty.
remove_empty() {
  grep -qxF -- "$1" "$KEPT/made" || return 0
  # One that the bundle gives by itself stays, or goes with the folders.
  find_folder "$1"
  [ -z "$BEFORE" ] || return 0
  if ! enter "${1%/*}" || ! rmdir "./${1##*/}" 2>/dev/null; then return 0; fi
  forget_made "$1"
  remove_empty "${1%/*}"
}

forget_made() {
  # shellcheck disable=SC2016 # awk's own variables
  FOLDER=$1 awk '$0 != ENVIRON["FOLDER"]' "$KEPT/made" >"$KEPT/made.new" && mv -f "$KEPT/made.new" "$KEPT/made"
}

# ------------------------------------------------------------------------------------------------ what others did to files

# picture LINES: of each file that is there of those that these lines of `seen` speak of, what it looks like now, as such a line.
# What another user may swap or write to is pinned before it is looked at, and read as far as it had bytes when it was laid:
# a checksum of anything longer is not worth its time.
picture() {
  : >"$WORK/sums"
  : >"$WORK/others"
  cut -f 1,5 "$1" >"$WORK/paths"
  in=''
  while IFS=$TAB read -r sum path; do
    folder=${path%/*}
    if [ "${folder:-/}" != "$in" ]; then
      in=${folder:-/}
      enter "$in" 2>/dev/null
      entered=$?
    fi
    [ "$entered" = 0 ] || continue
    name=${path##*/}
    if ! only_roots; then
      printf '%s\n' "$path" >>"$WORK/others"
    else
      if [ -L "./$name" ]; then
        printf '>%s\t%s\n' "$(readlink "./$name")" "$path" >>"$WORK/sums"
      elif [ "$sum" = / ] && [ -d "./$name" ]; then
        printf '/\t%s\n' "$path" >>"$WORK/sums"
      elif [ ! -f "./$name" ]; then
        continue
      fi
      printf '%s\000' "$path"
    fi
  done <"$WORK/paths" >"$WORK/plain"
  cd /
  xargs -0 -r stat -c "%a$TAB%u$TAB%g$TAB%s$TAB%n" <"$WORK/plain" 2>/dev/null >"$WORK/modes"
  # Root's files by the hundred, the others one by one.
  awk -F '\t' -v hash="$WORK/hash" -v others="$WORK/others" '
    BEGIN { printf "" > hash }
    n == 1 { size[$5] = substr($1, 1, index($1, ":") - 1); next }
    n == 2 { link[$NF] = 1; next }
    $5 in link { next }
    $2 != 0 || $1 ~ /[2367]$|[2367].$/ { print $5 >> others; next }
    size[$5] == "" || size[$5] == $4 { print $5 > hash }
  ' n=1 "$1" n=2 "$WORK/sums" n=3 "$WORK/modes"
  tr '\n' '\000' <"$WORK/hash" | xargs -0 -r sha256sum 2>/dev/null >"$WORK/hashed"
  # sha256sum of coreutils writes \\ for \ in a name, and a \ before such a line.
  awk -F '\t' '
    n == 1 { sum[$NF] = $1; next }
    n == 2 {
      name = $0
      if (substr(name, 1, 1) == "\\") {
        name = substr(name, 2)
        parts = split(name, part, /\\\\/)
        name = part[1]
        for (i = 2; i <= parts; i++) name = name "\\" part[i]
      }
      hash[substr(name, 67)] = substr(name, 1, 64)
      next
    }
    n == 3 { other[$0] = 1; next }
    !($5 in other) { print (($5 in sum) ? sum[$5] : $4 ":" hash[$5]) "\t" $1 "\t" $2 "\t" $3 "\t" $5 }
  ' n=1 "$WORK/sums" n=2 "$WORK/hashed" n=3 "$WORK/others" n=4 "$WORK/modes"
  awk -F '\t' 'n == 1 { other[$0] = 1; next } $5 in other { print ($1 == "/" ? $1 : index($1, ":") && $1 !~ /^>/ ? substr($1, 1, index($1, ":")) : ":") "\t" $5 }' \
    n=1 "$WORK/others" n=2 "$1" >"$WORK/sizes"
  while IFS=$TAB read -r size path; do
    name=${path##*/}
    at "${path%/*}" picture_here "${size%:}" "$path" 2>/dev/null
  done <"$WORK/sizes"
}

# picture_here SIZE PATH: the same of one file in the working directory, which had SIZE bytes once, or was a folder if SIZE is /.
picture_here() {
  if [ "$1" = / ] && [ -d "./$name" ] && [ ! -L "./$name" ]; then
    printf '/\t%s\t%s\n' "$(stat -c "%a$TAB%u$TAB%g" "./$name")" "$2"
    return
  fi
  pin "$name" || return
  if [ -L "$PINNED" ]; then
    sum='>'$(readlink "$PINNED")
  else
    bytes=$(stat -c %s "$PINNED")
    sum=''
    if [ "$bytes" = "${1:-$bytes}" ]; then
      sum=$(head -c "$bytes" "$PINNED" | sha256sum)
      sum=${sum%% *}
    fi
    sum=$bytes:$sum
  fi
  printf '%s\t%s\t%s\n' "$sum" "$(stat -c "%a$TAB%u$TAB%g" "$PINNED")" "$2"
  unpin
}

# Notes what the files that were just laid look like. What a run that was cut off took away is not in `laid` any more.
remember() {
  cut -f 5 "$KEPT/folders" | cat "$KEPT/laid" - >"$WORK/known"
  awk -F '\t' 'n == 1 { new[$0] = 1; next } n == 2 { laid[$0] = 1; next } $5 in laid && !($5 in new)' \
    n=1 "$WORK/changed" n=2 "$WORK/known" n=3 "$KEPT/seen" >"$KEPT/seen.new"
  cat "$WORK/looks" >>"$KEPT/seen.new"
  mv -f "$KEPT/seen.new" "$KEPT/seen"
}

# look_again PATH: the agent itself changed a file of root's that was laid.
look_again() {
  # shellcheck disable=SC2016 # awk's own variables
  LAID=$1 awk -F '\t' -v OFS='\t' '$5 == ENVIRON["LAID"] { $1 = ":"; print }' "$WORK/looks" >"$WORK/look"
  [ -s "$WORK/look" ] || return 0
  picture "$WORK/look" >"$WORK/new"
  LAID=$1 awk -F '\t' '$5 != ENVIRON["LAID"]' "$WORK/looks" >>"$WORK/new"
  mv -f "$WORK/new" "$WORK/looks"
}

# Writes to drift the laid files that are no longer as they were: `missing`, `content` or `access:MODE:OWNER:GROUP`, tab, path.
find_drift() {
  picture "$KEPT/seen" >"$WORK/now"
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
    run_watched "$HOOK_SECONDS" "$WORK/hook.log" "$command" sh "$KEPT/hook/$hook"
    if [ "$code" = 0 ]; then
      finish "$command"
    else
      [ -z "$ENDED" ] || code="$code (stopped after $HOOK_SECONDS s)"
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

# as_root COMMAND...: becomes what the operator wrote: in /, with what there is to know of the node.
as_root() {
  cd / || exit 1
  umask 022
  unset LC_ALL
  export HOME=/root REVEILLE_NODE="$NODE" REVEILLE_SERVER="$SERVER" REVEILLE_IP="$IP" REVEILLE_MAC="$MAC" \
    REVEILLE_BOOT_NIC="$NIC"
  exec "$@"
}

# run_watched SECONDS LOG WHAT COMMAND...: runs COMMAND as root in a session of its own, its output going to LOG, and reports once
# a minute that WHAT goes on. Sets `code`; after SECONDS (0: never) ends all of the session and sets ENDED. What COMMAND leaves
# running goes on.
run_watched() {
  limit=$1 watched_log=$2 what=$3
  shift 3
  ENDED='' leads=''
  if command -v setsid >/dev/null; then
    leads=yes
    set -- setsid "$@"
  fi
  : >"$watched_log"
  (as_root "$@") >>"$watched_log" 2>&1 </dev/null &
  watched=$!
  clock
  watch_began=$NOW
  # One that has ended and was not waited for yet counts as ended; its number may be given again.
  name_process "$watched"
  watching=$PROCESS
  while [ -n "$watching" ] && name_process "$watched" && [ "$PROCESS" = "$watching" ]; do
    clock
    passed=$((NOW - watch_began))
    if [ "$limit" != 0 ] && [ "$passed" -ge $((limit * 1000)) ]; then
      ENDED=yes
      end_session
      break
    fi
    bound_output "$watched_log"
    still "$what" "$watched_log"
    # What ends soon is noticed soon, and what takes long costs no processes.
    if [ "$passed" -lt 2000 ]; then sleep 0.1 2>/dev/null || sleep 1; else sleep 1; fi
  done
  wait "$watched"
  code=$?
  bound_output "$watched_log"
}

# bound_output LOG: who writes to it appends, and goes on at its new end. The end is held in memory, since there may be no room left.
bound_output() {
  [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -gt "$LARGEST_OUTPUT" ] || return 0
  end=$(tail -c "$END_OF_OUTPUT" "$1" | tr -d '\000')
  : >"$1"
  # A line that is cut may begin in the middle of a secret.
  printf '%s\n' "$end" | sed '1s/.*/(more was printed before)/' >>"$1"
}

# Ends the session of the watched process: TERM, then KILL.
end_session() {
  signal_session TERM
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -n "$(session_members)" ] || return 0
    sleep $((GRACE_SECONDS / 10))
  done
  signal_session KILL
}

signal_session() {
  # shellcheck disable=SC2046 # numbers
  kill "-$1" $(session_members) 2>/dev/null
}

# The processes of the session that the watched process leads; without setsid, that process alone.
session_members() {
  if [ -z "$leads" ]; then
    name_process "$watched"
    echo "${PROCESS%%.*}"
    return
  fi
  for stat in /proc/[0-9]*/stat; do
    { IFS= read -r line <"$stat"; } 2>/dev/null || continue
    member=${stat#/proc/}
    # shellcheck disable=SC2086 # numbers; the name, which may hold anything, is cut off
    set -- ${line##*) }
    case $1 in [ZXx]) continue ;; esac
    [ "$4" != "$watched" ] || echo "${member%/stat}"
  done
}

# ------------------------------------------------------------------------------------------------ name, key and settings.sh

# The kernel's host name is set from /etc/hostname; systemd follows by itself.
set_name() {
  begin hostname
  name=$(sed -n 's/#.*//; s/[[:space:]]//g; /./{p;q;}' /etc/hostname 2>/dev/null)
  case $name in
    '' | [.-]* | *[!A-Za-z0-9.-]*)
      complain "/etc/hostname holds no host name: $name"
      return
      ;;
  esac
  # The kernel would cut it without a word.
  if [ "${#name}" -gt 64 ]; then
    complain "the host name in /etc/hostname has ${#name} characters, and Linux keeps 64: $name"
    return
  fi
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
    look_again "$keys"
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
  limit=$SETTINGS_SECONDS
  if [ -r "$RUN/limits" ]; then
    while IFS= read -r line; do
      case $line in settings=*[!0-9]* | settings=) ;; settings=*) limit=${line#*=} ;; esac
    done <"$RUN/limits"
  fi
  if [ "$(head -c 2 "$script")" = '#!' ]; then set -- "$script"; else set -- sh "$script"; fi
  run_watched "$limit" "$log" settings.sh "$@"
  # What it printed so far is kept as it may be shown, in the same file: what it left running appends to that.
  masked <"$log" >"$WORK/output" && cat "$WORK/output" >"$log"
  if [ "$code" = 0 ]; then
    cat "$WORK/output"
    finish
  elif [ -n "$ENDED" ]; then
    complain "settings.sh ran for $limit s and was ended (settingsLimit in the site)" "$log"
  else
    complain "settings.sh ended with exit code $code" "$log"
  fi
}

# ---------------------------------------------------------------------------------------------------- how the node stands

# write_news MS [SYNC]: the report to the server after an apply: which bundle the node has, what failed, which files were changed
# by others. Nothing is written if the last report was the same and no order waits for it.
write_news() {
  {
    # `folders`: this agent lays folders, and counts them in the bundle's name.
    printf 'boot=%s\nfolders=1\nbundle=%s\n' "$BOOT" "$(name_of "$KEPT/applied" "$KEPT/hooks")"
    tidy "$FAILURE"
    [ -z "$TIDY" ] || printf 'failed=%s\n' "$(printf %s "$TIDY" | head -c 500)"
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

# Delivers the report, if there is one. A report that the server will never accept is dropped.
deliver_news() {
  [ -e "$RUN/news" ] || return 0
  is_quiet && return 1
  request /node/v1/applied "$WORK/answer" "$RUN/news"
  case $STATUS in
    200 | 204) ;;
    400 | 404 | 413) say "not taken by the server: $(words "$WORK/answer")" ;;
    *)
      be_quiet
      return 1
      ;;
  esac
  cp "$RUN/standing" "$RUN/told"
  rm -f "$RUN/news"
}
