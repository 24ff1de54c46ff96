#!/bin/sh
# What the agent's programs share: small tools, the kernel line, requests to the server, reports. Sourced by them, not run.
# shellcheck disable=SC2034 # what is set here is used there

# What is written is root's alone; what others must read is made with umask 022.
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
unset http_proxy HTTP_PROXY all_proxy ALL_PROXY

RUN=/run/reveille     # this boot: staged bundle, reports not yet delivered, logs
KEPT=/var/lib/reveille # the files that were written, and the originals that they replaced
LONGEST_PAUSE=30
TAIL_BYTES=4096
# A step that takes long reports so at this interval.
STILL_SECONDS=60
# If a server sends Retry-After, the next request comes within this many seconds at the latest.
LONGEST_RETRY=300
TAB=$(printf '\t')
MASK='' RETRY_AFTER=0 QUIET_UNTIL=0 CLIENT='' NAMELESS='' SILENT_SINCE='' REMIND_AT=0

# shellcheck source=hide.sh
. "$LIB/hide.sh"
# shellcheck source=trouble.sh
. "$LIB/trouble.sh"

say() {
  tidy "$*"
  printf 'reveille: %s\n' "$TIDY"
}

# Sets NOW to the milliseconds since the kernel started.
clock() {
  read -r up _ </proc/uptime
  NOW=$((${up%.*} * 1000 + (1${up#*.} - 100) * 10))
}

# Waits DELAY seconds, up to half less or more so that a rack does not ask in step, and doubles DELAY. Where the server asked
# for a longer pause, that long at least.
pause() {
  read -r uuid </proc/sys/kernel/random/uuid
  wait_ms=$((DELAY * (500 + 0x${uuid%%-*} % 1000)))
  [ "$wait_ms" -ge $((RETRY_AFTER * 1000)) ] || wait_ms=$((RETRY_AFTER * 1000 + wait_ms / 2))
  RETRY_AFTER=0
  sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))" 2>/dev/null || sleep "$DELAY"
  DELAY=$((DELAY * 2))
  [ "$DELAY" -le "$LONGEST_PAUSE" ] || DELAY=$LONGEST_PAUSE
}

# Sets VALUE to the first line of a file of the kernel; to nothing if it cannot be read. Forks nothing: on a small
# machine the number of processes is what the agent's time goes into.
read_value() {
  VALUE=''
  [ -r "$1" ] && { IFS= read -r VALUE <"$1"; } 2>/dev/null
  [ -n "$VALUE" ]
}

has_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }

# Whether the first line of the kernel's file $1 is $2.
holds() { read_value "$1" && [ "$VALUE" = "$2" ]; }

# ---------------------------------------------------------------------------------------------------- the kernel line

# Sets SERVER, MAC, NODE, HELD, KEY_TYPE and KEY_DATA. `sshpub=` holds two words, in quotes or not.
read_kernel_line() {
  SERVER='' MAC='' NODE='' HELD='' KEY_TYPE='' KEY_DATA='' tftp=''
  set -f
  # shellcheck disable=SC2046 # the kernel line is a list of words
  set -- $(cat /proc/cmdline)
  set +f
  while [ $# -gt 0 ]; do
    word=$1
    shift
    case $word in
      reveille.server=http://?*) SERVER=${word#*=} ;;
      reveille.node=*) NODE=${word#*=} ;;
      reveille.hold=*) HELD=${word#*=} ;;
      TFTP=*) tftp=${word#*=} ;;
      BOOTIF=01-*) MAC=$(printf %s "${word#BOOTIF=01-}" | tr 'A-F-' 'a-f:') ;;
      sshpub=* | \"sshpub=*)
        KEY_TYPE=${word#*=}
        KEY_TYPE=${KEY_TYPE#\"}
        KEY_DATA=${1-}
        KEY_DATA=${KEY_DATA%\"}
        ;;
    esac
  done
  SERVER=${SERVER%/}
  [ -n "$SERVER" ] || [ -z "$tftp" ] || SERVER=http://$tftp:8080
}

# -------------------------------------------------------------------------------------------------- talking to a server

# request PATH ANSWER [BODY]: asks the server, POST if there is a body file. Sets STATUS, 000 if no whole answer came.
# ASKING is the rest of the query. An answer that may stay away for HELD_SECONDS is waited for that long and a bit more.
# The node's token goes along. A server that refuses it may have lost its state: the next request goes without, and so on.
# RETRY_AFTER is the server's Retry-After header.
request() {
  : >"$2"
  : >"$WORK/headers"
  find_client
  # With its own time, so that a clock that is off is seen.
  query="mac=$MAC&time=$(date +%s)${ASKING-}"
  body=${3-}
  token=''
  if has_token; then token=yes; fi
  if [ -n "$token" ] && [ "$CLIENT" = wget ]; then
    # Any user of the machine reads the arguments of its processes: the token goes first in a body.
    {
      printf 'token=%s\n' "$(cat "$RUN/token")"
      [ -z "$body" ] || cat "$body"
    } >"$WORK/body"
    body=$WORK/body
    query="$query&token=body"
  fi
  url="$SERVER$1?$query"
  if [ "$CLIENT" = curl ]; then
    limits='--speed-limit 1 --speed-time 30'
    [ -z "${HELD_SECONDS-}" ] || limits="--max-time $((HELD_SECONDS + 30))"
    # shellcheck disable=SC2086 # words
    STATUS=$(curl -qsS --noproxy '*' --connect-timeout 5 $limits -D "$WORK/headers" -o "$2" ${token:+-K "$RUN/token.curl"} \
      -w '%{http_code}' ${body:+--data-binary "@$body"} "$url" 2>"$WORK/trouble") || STATUS=000
  else
    set -- "$2"
    if [ -n "$token" ] && [ "$CLIENT" = gnu ]; then set -- "$1" env "WGETRC=$RUN/token.wgetrc"; fi
    answer=$1
    shift
    # Not wget's own -T: a busybox that was built without it crashes on it.
    # shellcheck disable=SC2086 # words
    if timeout $((${HELD_SECONDS:-270} + 30)) "$@" $WGET -S -O "$answer" ${body:+--post-file "$body"} "$url" 2>"$WORK/headers"; then
      # busybox takes every status from 200 to 206 as a success.
      STATUS=$(sed -n 's/.*HTTP\/1\.[01] \(2[0-9][0-9]\).*/\1/p' "$WORK/headers" | tail -n 1)
      STATUS=${STATUS:-200}
    else
      STATUS=$(sed -n 's/.*HTTP\/1\.[01] \([45][0-9][0-9]\).*/\1/p' "$WORK/headers" | tail -n 1)
      STATUS=${STATUS:-000}
    fi
    grep -v -i '^ *x-reveille-token' "$WORK/headers" | tail -n 1 >"$WORK/trouble"
  fi
  RETRY_AFTER=0
  if [ "$STATUS" != 000 ]; then
    SILENT_SINCE=''
  elif [ -z "$SILENT_SINCE" ]; then
    clock
    SILENT_SINCE=$NOW
  fi
  case $STATUS in
    403) if [ -n "$NAMELESS" ]; then NAMELESS=''; else NAMELESS=$token; fi ;;
    429 | 503)
      RETRY_AFTER=$(header retry-after '[0-9]\{1,5\}')
      [ "${RETRY_AFTER:=1}" -le "$LONGEST_RETRY" ] || RETRY_AFTER=$LONGEST_RETRY
      ;;
  esac
}

# Whether the next request shows a token.
has_token() { [ -z "$NAMELESS" ] && [ -s "$RUN/token" ]; }

# Sets CLIENT to curl, to gnu for GNU's wget, which reads options from a file, or to wget for one that knows only arguments; WGET
# is how the latter two are called.
find_client() {
  [ -z "$CLIENT" ] || return 0
  WGET=wget
  if command -v curl >/dev/null; then
    CLIENT=curl
  elif ! command -v wget >/dev/null && busybox wget --help >/dev/null 2>&1; then
    # A busybox without links for its programs.
    WGET='busybox wget'
    CLIENT=wget
  else
    case $(wget --version 2>/dev/null) in 'GNU Wget 1.'*) CLIENT=gnu ;; *) CLIENT=wget ;; esac
  fi
}

# header NAME VALUE: that header of the last answer, if it is of the form VALUE (for sed).
header() {
  tr -d '\r' <"$WORK/headers" | tr '[:upper:]' '[:lower:]' | sed -n "s/^ *$1: *\($2\)\$/\1/p" | tail -n 1
}

# keep_token: from now on the server knows this node by the token that its last answer brought, if it brought one. Written in the
# forms in which curl and GNU's wget read a header.
keep_token() {
  kept=$(header x-reveille-token '[0-9a-f]\{64\}')
  [ -n "$kept" ] || return 0
  printf '%s\n' "$kept" >"$RUN/token.new"
  printf 'header = "x-reveille-token: %s"\n' "$kept" >"$RUN/token.curl"
  printf 'header = x-reveille-token: %s\n' "$kept" >"$RUN/token.wgetrc"
  mv -f "$RUN/token.new" "$RUN/token"
  NAMELESS=''
  add_to_mask "$RUN/token"
}

# Why the last request was not answered as hoped: what is full here, the server's words, the client's, or the bare status.
words() {
  if [ "$STATUS" = 000 ]; then
    full=$(fullness)
    [ -z "$full" ] || { printf '%s\n' "$full" && return; }
  fi
  if [ "$STATUS" != 000 ] && [ -s "$1" ]; then
    start_of "$1" 500
  elif [ -s "$WORK/trouble" ]; then
    start_of "$WORK/trouble" 500
  else
    echo "status $STATUS"
  fi
}

# The checksum header of the last answer.
checksum_header() { header x-reveille-sha256 '[0-9a-f]*'; }

# ------------------------------------------------------------------------------------------------------------- reports

# begin STEP: a short step begins; its time counts from here.
begin() {
  STEP=$1
  clock
  STEP_BEGAN=$NOW
  STEP_TOLD=$NOW
  REMIND_AT=0
  say "$STEP"
}

# remind WORDS: prints WORDS on the console at the first time in a step, and then once a minute.
remind() {
  clock
  [ "$NOW" -ge "$REMIND_AT" ] || return 0
  REMIND_AT=$((NOW + STILL_SECONDS * 1000))
  say "$STEP: $1"
}

# remind_of_server: the same where no server answers.
remind_of_server() {
  [ "$STATUS" = 000 ] || return 0
  clock
  silent_for=$(((NOW - SILENT_SINCE) / 1000))
  [ "$silent_for" -ge 10 ] || return 0
  remind "no answer from $SERVER for $silent_for s: does the server run, is $SERVER its address, and does a firewall let TCP from this machine through?"
}

# still WHAT [OUTPUT]: prints and reports, a minute after the last time, that the step goes on with WHAT; OUTPUT is a file whose
# tail is sent along. Forks nothing before.
still() {
  clock
  [ $((NOW - STEP_TOLD)) -ge $((STILL_SECONDS * 1000)) ] || return 0
  STEP_TOLD=$NOW
  goes_on="still running after $(((NOW - STEP_BEGAN) / 1000)) s: $1"
  say "$STEP: $goes_on"
  report started "$goes_on" "${2-}"
}

# start STEP: a step begins that may take long, which is reported.
start() {
  begin "$1"
  report started
}

# finish [DETAIL]: the step that began is done.
finish() {
  report 'done' "${1-}"
}

# try_again WHY: the step goes on, but not smoothly.
try_again() {
  say "$1"
  report started "trying again: $1"
}

# fail DETAIL [OUTPUT]: the step that began failed; OUTPUT is a file whose tail is sent along.
fail() {
  full=$(fullness)
  why="$1${full:+; $full}"
  say "$STEP failed: $why"
  [ -z "${2-}" ] || [ ! -r "$2" ] || tail_of "$2"
  report failed "$why" "${2-}"
}

# tail_of FILE: its end, as it may leave.
tail_of() { end_of "$1" $((2 * TAIL_BYTES)) | masked | tail -c "$TAIL_BYTES"; }

# begin_reports: the first report's number. Numbers go on where a program that was cut off left them: the server takes
# each number of a boot once. All have the same number of digits, so that their order is that of their names.
begin_reports() {
  mkdir -p "$RUN/reports" "$KEPT"
  chmod 0700 "$RUN" "$KEPT"
  load_mask
  read -r BOOT </proc/sys/kernel/random/boot_id
  clock
  SEQUENCE=$((1000000000 + NOW))
}

# report STATUS [DETAIL] [OUTPUT]: keeps a report in order behind the ones not delivered yet, then tries to deliver all. That they
# do not arrive yet is no failure of the step.
report() {
  clock
  SEQUENCE=$((SEQUENCE + 1))
  file=$RUN/reports/$SEQUENCE
  tidy "${2-}"
  detail=$TIDY
  [ "${#detail}" -le 500 ] || detail=$(printf %s "$detail" | head -c 500)
  # What the try takes is free for the report afterwards. Without room for one, a report leaves at once or not at all.
  if ! { printf '%16384s' '' >"$RUN/reports/room"; } 2>/dev/null; then
    report_directly "$1" || :
    return 0
  fi
  : >"$RUN/reports/room"
  {
    printf 'boot=%s\nseq=%s\nstep=%s\nstatus=%s\nms=%s\n' "$BOOT" "$SEQUENCE" "$STEP" "$1" $((NOW - STEP_BEGAN))
    [ -z "${DURING-}" ] || echo "during=$DURING"
    [ -z "$detail" ] || printf 'detail=%s\n' "$detail"
    echo
    [ -z "${3-}" ] || [ ! -r "$3" ] || tail_of "$3"
  } >"$file.new"
  mv -f "$file.new" "$file"
  deliver || :
}

# report_directly STATUS: reports to the server, without writing any file, that there is no space here, besides what was to be
# reported (detail).
report_directly() {
  [ -n "$ONLINE" ] || return 1
  find_client
  full=$(fullness)
  case $detail in *"${full:-no room}"*) ;; *) detail="${full:-no room}${detail:+; $detail}" ;; esac
  bare=$(printf 'boot=%s\nseq=%s\nstep=%s\nstatus=%s\nms=%s\ndetail=%s' "$BOOT" "$SEQUENCE" "$STEP" "$1" $((NOW - STEP_BEGAN)) \
    "$(printf %s "$detail" | head -c 500)")
  url="$SERVER/node/v1/report?mac=$MAC&time=$(date +%s)"
  token=''
  if has_token; then token=yes; fi
  case $CLIENT in
    curl) printf '%s\n' "$bare" | curl -qsS --noproxy '*' --connect-timeout 5 --max-time 30 -o /dev/null ${token:+-K "$RUN/token.curl"} --data-binary @- "$url" ;;
    gnu) timeout 30 env ${token:+"WGETRC=$RUN/token.wgetrc"} wget -q -O /dev/null --post-data "$bare
" "$url" ;;
    *)
      # shellcheck disable=SC2086 # words
      {
        [ -z "$token" ] || printf 'token=%s\n' "$(cat "$RUN/token")"
        printf '%s\n' "$bare"
      } | timeout 30 $WGET -q -O /dev/null --post-file /dev/stdin "$url${token:+&token=body}"
      ;;
  esac 2>/dev/null
}

# Sends the reports that wait, oldest first. Fails at the first that does not arrive; one that the server will never
# take is dropped. While a server asks to be left alone, they wait.
deliver() {
  [ -n "$ONLINE" ] || return 1
  is_quiet && return 1
  for waiting in "$RUN"/reports/*[0-9]; do
    # The agent's other program may have delivered it meanwhile.
    [ -e "$waiting" ] || continue
    request /node/v1/report "$WORK/answer" "$waiting"
    case $STATUS in
      200 | 204) ;;
      400 | 413) say "report refused: $(words "$WORK/answer")" ;;
      *)
        be_quiet
        return 1
        ;;
    esac
    rm -f "$waiting"
  done
}

# Whether the server's Retry-After is still in force.
is_quiet() {
  [ "$QUIET_UNTIL" != 0 ] || return 1
  clock
  [ "$NOW" -lt "$QUIET_UNTIL" ]
}

# A pending report waits as long as the last answer asked for.
be_quiet() {
  clock
  QUIET_UNTIL=$((NOW + RETRY_AFTER * 1000))
}

