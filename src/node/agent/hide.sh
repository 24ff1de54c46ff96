#!/bin/sh
# All output of a node to its console, its journal or the server passes through here: it contains no secrets, and nothing that a
# terminal would obey. Sourced by the agent's programs, not run.
#
# Secrets are the texts that the bundle names ($RUN/mask, a line each), and what looks like one: see hide.awk.
# shellcheck disable=SC2034 # what is set here is used there

MOST_MASKED=65536
NEWLINE='
'

# load_mask: reads the texts to hide into memory, for `tidy`.
load_mask() {
  MASK=''
  if [ -r "$RUN/mask" ]; then MASK=$(cat "$RUN/mask"); fi
}

# add_to_mask FILE: its lines are hidden from now on, beside those of before: what has left the site may still stand in a log.
# The longest come first, so that a text within another does not leave half of that.
add_to_mask() {
  touch "$RUN/mask"
  awk 'length($0) >= 3 && !seen[$0]++ { printf "%d\t%s\n", length($0), $0 }' "$1" "$RUN/mask" | head -n "$MOST_MASKED" |
    sort -rn | cut -f 2- >"$RUN/mask.new" && mv -f "$RUN/mask.new" "$RUN/mask"
  load_mask
}

# masked: standard input as lines that may leave.
masked() { tr -d '\000' | awk -v mask="$RUN/mask" -f "$LIB/hide.awk"; }

# plain: standard input as one such line; the ends are trimmed.
plain() { tr '\000' ' ' | awk -v mask="$RUN/mask" -v joined=1 -f "$LIB/hide.awk"; }

# tidy TEXT: sets TIDY to TEXT as one such line. Forks nothing where there is nothing to hide.
tidy() {
  TIDY=$1
  hidden=''
  case $TIDY in
    *[!\ -~]* | *@* | *\$* | *gAAAA* | *[Pp][Aa][Ss][Ss]* | *[Pp][Ww][Dd]* | *[Ss][Ee][Cc][Rr][Ee][Tt]* | *[Tt][Oo][Kk][Ee][Nn]* | \
      *[Cc][Rr][Ee][Dd]* | *[Kk][Ee][Yy]* | *[Cc][Oo][Oo][Kk]* | *[Aa][Uu][Tt][Hh]* | *[Bb][Ee][Aa][Rr][Ee][Rr]*) hidden=maybe ;;
    *)
      set -f
      IFS=$NEWLINE
      for text in $MASK; do
        case $TIDY in *"$text"*) hidden=yes && break ;; esac
      done
      unset IFS
      set +f
      ;;
  esac
  [ -z "$hidden" ] || TIDY=$(printf '%s\n' "$TIDY" | plain)
}

# end_of FILE BYTES: the whole file, or its end. A line that is cut is left out: it may begin in the middle of a secret.
end_of() {
  if [ "$(wc -c <"$1")" -le "$2" ]; then
    cat "$1"
  else
    tail -c "$2" "$1" | tr '\r' '\n' | sed '1s/.*/.../'
  fi
}

# start_of FILE BYTES: the beginning as one line that may leave.
start_of() { head -c 65536 "$1" | plain | head -c "$2"; }
