#define _GNU_SOURCE
#include "http_head.h"

#include <string.h>
#include <strings.h>

#define MOST_FIELDS 100

static bool is_token(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool equals(struct span span, const char *text) {
  return span.length == strlen(text) && strncasecmp(span.at, text, span.length) == 0;
}

static struct span trimmed(const char *from, const char *to) {
  while (from < to && (*from == ' ' || *from == '\t')) from++;
  while (to > from && (to[-1] == ' ' || to[-1] == '\t')) to--;
  return (struct span){from, (size_t)(to - from)};
}

// Whether what has come so far can become "GET /boot/..." or "HEAD /boot/...".
static bool can_be_ours(const char *bytes, size_t length, const char *start) {
  size_t known = strlen(start);
  return memcmp(bytes, start, length < known ? length : known) == 0;
}

static bool read_request_line(const char *line, const char *end, struct head *head, bool *is_http10) {
  head->is_head = *line == 'H';
  const char *target = line + (head->is_head ? 5 : 4);
  const char *space = memchr(target, ' ', (size_t)(end - target));
  if (space == NULL || end - space != 9 || memcmp(space, " HTTP/1.", 8) != 0 || (end[-1] != '0' && end[-1] != '1')) return false;
  for (const char *c = target; c < space; c++) {
    if (*c <= ' ' || *c > '~' || *c == '#') return false;
  }
  head->target = (struct span){target, (size_t)(space - target)};
  *is_http10 = end[-1] == '0';
  return true;
}

// What `Connection` lists. False for what asks for more than to keep or close it.
static bool read_connection(struct span value, struct head *head, bool *keeps) {
  const char *end = value.at + value.length;
  for (const char *from = value.at; from <= end;) {
    const char *comma = memchr(from, ',', (size_t)(end - from));
    struct span one = trimmed(from, comma == NULL ? end : comma);
    if (equals(one, "close")) head->closes = true;
    else if (equals(one, "keep-alive")) *keeps = true;
    else if (one.length > 0) return false;
    if (comma == NULL) break;
    from = comma + 1;
  }
  return true;
}

static bool take_once(struct span *into, struct span value) {
  if (into->at != NULL) return false;
  *into = value;
  return true;
}

// Reads one header field. False where its form is not certain, or where the quick path does not do what it asks for.
static bool read_field(const char *line, const char *end, struct head *head, struct span *host, bool *keeps) {
  const char *colon = line;
  while (colon < end && is_token((unsigned char)*colon)) colon++;
  if (colon == line || colon == end || *colon != ':') return false;
  for (const char *c = colon + 1; c < end; c++) {
    if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f) return false;
  }
  struct span name = {line, (size_t)(colon - line)};
  struct span value = trimmed(colon + 1, end);
  if (equals(name, "host")) return take_once(host, value);
  if (equals(name, "connection")) return read_connection(value, head, keeps);
  if (equals(name, "range")) return take_once(&head->range, value);
  if (equals(name, "if-range")) return take_once(&head->if_range, value);
  if (equals(name, "if-none-match")) return take_once(&head->if_none_match, value);
  static const char *const foreign[] = {"content-length", "transfer-encoding", "expect", "upgrade", "trailer", "te", "proxy-connection"};
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
    if (equals(name, foreign[i])) return false;
  }
  return true;
}

enum head_kind read_head(const char *bytes, size_t length, struct head *head) {
  if (!can_be_ours(bytes, length, "GET /boot/") && !can_be_ours(bytes, length, "HEAD /boot/")) return HEAD_FOREIGN;
  const char *last = memmem(bytes, length, "\r\n\r\n", 4);
  if (last == NULL) return HEAD_PART;
  *head = (struct head){.length = (size_t)(last - bytes) + 4};
  // The end of the last field's line.
  const char *end = last + 2;
  const char *line = memmem(bytes, (size_t)(end - bytes), "\r\n", 2);
  bool is_http10 = false, keeps = false;
  struct span host = {NULL, 0};
  if (line == NULL || !read_request_line(bytes, line, head, &is_http10)) return HEAD_FOREIGN;
  line += 2;
  for (int fields = 0; line < end; fields++) {
    const char *next = memmem(line, (size_t)(end - line), "\r\n", 2);
    if (next == NULL || fields == MOST_FIELDS || !read_field(line, next, head, &host, &keeps)) return HEAD_FOREIGN;
    line = next + 2;
  }
  if (!is_http10 && host.at == NULL) return HEAD_FOREIGN;
  if (is_http10 && !keeps) head->closes = true;
  return HEAD_WHOLE;
}
