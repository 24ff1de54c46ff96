// Reads heads of HTTP requests (RFC 9112) as far as the quick path needs it. Knows bytes and nothing else.
#ifndef REVEILLE_HTTP_HEAD_H
#define REVEILLE_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

// Bytes within the head; `at` is NULL where there are none.
struct span {
  const char *at;
  size_t length;
};

struct head {
  bool is_head;  // HEAD, not GET
  bool closes;   // the connection ends after the answer
  struct span target, range, if_range, if_none_match;
  size_t length;  // of the head, with the empty line at its end
};

enum head_kind {
  HEAD_WHOLE,
  HEAD_PART,     // more must come
  HEAD_FOREIGN,  // anything but a plain GET or HEAD of something below /boot/: others answer it, or refuse it
};

// Reads the head at the beginning of `bytes`. It is filled in only where it is whole. Strict: what is not certain is foreign.
enum head_kind read_head(const char *bytes, size_t length, struct head *head);

#endif
