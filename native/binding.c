// The addon: its parts, and what they share. Each part is one file with a function `export_...`.
#define _GNU_SOURCE
#include "binding.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

bool export_functions(napi_env env, napi_value exports, const struct export *list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    napi_value function;
    if (napi_create_function(env, list[i].name, NAPI_AUTO_LENGTH, list[i].call, NULL, &function) != napi_ok ||
        napi_set_named_property(env, exports, list[i].name, function) != napi_ok)
      return false;
  }
  return true;
}

bool take_args(napi_env env, napi_callback_info info, size_t wanted, napi_value *args) {
  size_t count = wanted;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) == napi_ok && count >= wanted) return true;
  throw_type(env, "too few arguments");
  return false;
}

bool take_int(napi_env env, napi_value value, int64_t least, int64_t most, int64_t *into) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok || !(number >= (double)least && number <= (double)most) ||
      number != (double)(int64_t)number) {
    throw_type(env, "a whole number within bounds is expected");
    return false;
  }
  *into = (int64_t)number;
  return true;
}

bool take_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length) {
  napi_typedarray_type type;
  void *data = NULL;
  bool is_typed = false;
  if (napi_is_typedarray(env, value, &is_typed) != napi_ok || !is_typed ||
      napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) != napi_ok || type != napi_uint8_array) {
    throw_type(env, "a Uint8Array is expected");
    return false;
  }
  *bytes = data;
  return true;
}

void throw_errno(napi_env env, const char *call, int number) {
  char message[160];
  const char *code = strerrorname_np(number);
  snprintf(message, sizeof message, "%s: %s (%s)", call, strerrordesc_np(number), code == NULL ? "?" : code);
  napi_throw_error(env, code, message);
}

void throw_type(napi_env env, const char *message) { napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message); }

napi_value nothing(napi_env env) {
  napi_value value;
  return napi_get_undefined(env, &value) == napi_ok ? value : NULL;
}

// lowerPriority(niceness): of the thread that calls, which on Linux has a priority of its own. Only down: no privilege is needed.
static napi_value lower_priority(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int64_t niceness;
  if (!take_args(env, info, 1, args) || !take_int(env, args[0], 0, 19, &niceness)) return NULL;
  if (setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), (int)niceness) != 0) throw_errno(env, "setpriority", errno);
  return nothing(env);
}

static const struct export functions[] = {{"lowerPriority", lower_priority}};

NAPI_MODULE_INIT() {
  if (!export_functions(env, exports, functions, sizeof functions / sizeof *functions) || !export_http(env, exports) ||
      !export_udp(env, exports))
    return NULL;
  return exports;
}
