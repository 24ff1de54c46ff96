# Prints standard input without secrets and without what a terminal would obey. Variables: `mask` names a file of texts to hide,
# a line each, the longest first; with `joined` all becomes one line, trimmed. Bytes, not characters (LC_ALL=C): what is
# valid UTF-8 stays, but for C1 controls and marks that turn the direction of writing.
#
# Any awk: mawk, busybox, gawk. Octal 042 and 047 are the quotes.

BEGIN {
  while (mask != "" && (getline text < mask) > 0) if (length(text) >= 3) secret[++secrets] = text
  word = "(pass(w[a-z]*|phrase[a-z]*|code|key)?|pwd|secret[a-z]*|token[a-z]*|credentials?|cookie|authorization" \
    "|(api|access|private|auth|encryption|shared)[-_]?key)"
  # A name with such a word in it and its separator: of ini files, YAML, JSON (escaped or not), shells, headers and XML.
  setting = word "([-_.0-9][-a-z0-9_.]*)?[]\\\\\042\047]*[ \t]*(=>|:=|[=:>])[ \t]*"
  option = "--[-a-z0-9_]*" word "[-a-z0-9_]*[ \t]+"
}

{
  sub(/\r$/, "")
  line = literal($0)
  if (line ~ /[^\t -~]/) line = literal(tame(line))
  line = patterns(line)
  if (joined) {
    gsub(/\t/, " ", line)
    whole = NR == 1 ? line : whole " " line
  } else print line
}

END {
  if (joined) {
    gsub(/^ +| +$/, "", whole)
    print whole
  }
}

# The texts that are known.
function literal(s,   i, at, out) {
  for (i = 1; i <= secrets; i++) {
    if (!(at = index(s, secret[i]))) continue
    out = ""
    while (at) {
      out = out substr(s, 1, at - 1) "***"
      s = substr(s, at + length(secret[i]))
      at = index(s, secret[i])
    }
    s = out s
  }
  return s
}

# Without control characters, C1 ones too, and what is no text.
function tame(s,   out, c) {
  gsub(/\033\[[0-9;?]*[ -\/]*[@-~]/, "", s)
  gsub(/[\001-\010\012-\037\177]/, " ", s)
  out = ""
  while (match(s, /[\200-\377]+/)) {
    out = out substr(s, 1, RSTART - 1)
    c = substr(s, RSTART, RLENGTH)
    s = substr(s, RSTART + RLENGTH)
    out = out text_of(c)
  }
  return out s
}

# A run of bytes that are no ASCII, as UTF-8: a space for a control, a question mark for what is none.
function text_of(run,   out, c) {
  out = ""
  while (run != "") {
    if (match(run, /^([\302-\337]|\340[\240-\277]|[\341-\354\356\357][\200-\277]|\355[\200-\237]|\360[\220-\277][\200-\277]|[\361-\363][\200-\277][\200-\277]|\364[\200-\217][\200-\277])[\200-\277]/)) {
      c = substr(run, 1, RLENGTH)
      run = substr(run, RLENGTH + 1)
      if (c ~ /^(\302[\200-\237]|\330\234|\342\200[\216\217\250-\256]|\342\201[\246-\251])$/) c = " "
      out = out c
    } else {
      out = out "?"
      run = substr(run, 2)
    }
  }
  return out
}

# What looks like a secret.
function patterns(s,   out, low, head, name, n) {
  # The lines of a private key.
  if (s ~ /-----BEGIN [A-Z ]*PRIVATE KEY-----/) within_key = 1
  if (within_key) {
    if (s ~ /-----END [A-Z ]*PRIVATE KEY-----/) within_key = 0
    return "***"
  }
  if (length(s) >= 60 && s ~ /^[A-Za-z0-9+\/]+=*$/ && s !~ /^[0-9a-f]+$/) return "***"
  # Users and passwords in URLs, up to the last of several hosts.
  gsub(/:\/\/[^ \042\047]*@/, "://***@", s)
  # Hashes of crypt(3), tokens of Keystone.
  gsub(/\$[0-9a-z]+\$[.\/A-Za-z0-9$=,]+/, "***", s)
  gsub(/gAAAA[-A-Za-z0-9_=]+/, "***", s)
  out = ""
  while (match(low = tolower(s), "(" setting ")|(" option ")|bearer +")) {
    name = substr(low, RSTART, RLENGTH)
    head = substr(s, 1, RSTART + RLENGTH - 1)
    s = substr(s, RSTART + RLENGTH)
    n = secret_length(s, name, out head)
    out = out head (n ? "***" : "")
    s = substr(s, n + 1)
  }
  return out s
}

# How much of what follows the name is its value.
function secret_length(s, name, before,   n) {
  # An option's value, not the next option; a word of a sentence, not a token.
  if (name ~ /^--/ && s ~ /^-/) return 0
  if (name ~ /^bearer/) return match(s, /^[-A-Za-z0-9._~+\/=]+/) && RLENGTH >= 16 ? RLENGTH : 0
  # Part of an address that has been hidden already, or of another one.
  if (name ~ /:$/ && s ~ /^\/\//) return 0
  if (s ~ /^[uUbBrR]?\\*[\042\047]/) return quoted_length(s)
  if (tolower(s) ~ /^(bearer|basic|negotiate|token) +/) {
    match(s, / +/)
    n = RSTART + RLENGTH - 1
    return n + bare_length(substr(s, n + 1))
  }
  # A header, and a line of an ini file or of a shell: to the end.
  if (name ~ /^(authorization|cookie)/) return match(s, /[\042\047]/) ? RSTART - 1 : length(s)
  if (name ~ /=[ \t]*$/ && tolower(before) ~ /^[ \t]*(export[ \t]+)?[-a-z0-9_.]+[ \t]*=[ \t]*$/) return length(s)
  return bare_length(s)
}

# Up to what may follow a value without quotes.
function bare_length(s) {
  return match(s, /[ \t,;}&<>|]/) ? RSTART - 1 : length(s)
}

# A value in quotes, with escapes as JSON, Python, YAML and shells write them; without its end, all of the line.
function quoted_length(s,   quote, depth, i, n, run, c) {
  match(s, /^[uUbBrR]?\\*/)
  depth = RLENGTH - (s ~ /^[a-zA-Z]/ ? 1 : 0)
  i = RLENGTH + 1
  quote = substr(s, i, 1)
  n = length(s)
  run = 0
  while (++i <= n) {
    c = substr(s, i, 1)
    if (c == "\\") {
      run++
      continue
    }
    if (c == quote && (depth ? run == depth : run % 2 == 0)) {
      # A quote that stands for itself by being doubled, or a shell that goes on with another quote.
      if (substr(s, i + 1, 1) == quote && substr(s, i + 2, 1) !~ /^[] \t,;}&<>|)]?$/) i++
      else if (!depth && substr(s, i + 1, 1) == "\\" && substr(s, i + 3, 1) == quote) i += 3
      else return i
    }
    run = 0
  }
  return n
}
