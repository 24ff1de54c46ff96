// The engine of http.c for JavaScript, in the libuv loop of the thread that opens it.
#define _GNU_SOURCE
#include "binding.h"
#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

// An engine and what drives it. It lives until JavaScript has dropped it and libuv has closed its handles.
struct driven {
  struct engine *engine;
  napi_env env;
  napi_ref on_records;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
  uv_poll_t poll;
  uv_timer_t timer;
  uv_idle_t idle;
  int handles;
  uint64_t tick_ms;
  bool is_closed, is_dropped, is_ending;
};

static const napi_type_tag engine_tag = {0x52657665696c6c65, 0x4874747045467031};

static void release(struct driven *driven) {
  if (driven->handles > 0 || !driven->is_dropped) return;
  engine_free(driven->engine);
  free(driven);
}

static void on_closed(uv_handle_t *handle) {
  struct driven *driven = handle->data;
  if (--driven->handles > 0) return;
  // Without these JavaScript's part of the engine can go. Where the thread ends they go with it.
  if (!driven->is_ending) {
    napi_delete_reference(driven->env, driven->on_records);
    napi_async_destroy(driven->env, driven->context);
  }
  napi_async_cleanup_hook_handle cleanup = driven->cleanup;
  driven->cleanup = NULL;
  release(driven);
  if (cleanup != NULL) napi_remove_async_cleanup_hook(cleanup);
}

static void close_all(struct driven *driven) {
  if (driven->is_closed) return;
  engine_close(driven->engine);
  driven->is_closed = true;
  uv_close((uv_handle_t *)&driven->poll, on_closed);
  uv_close((uv_handle_t *)&driven->timer, on_closed);
  uv_close((uv_handle_t *)&driven->idle, on_closed);
}

// The thread ends: nothing is called any more.
static void on_cleanup(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  struct driven *driven = data;
  driven->is_ending = true;
  driven->engine->on_records = NULL;
  driven->engine->records_length = 0;
  close_all(driven);
}

static void on_dropped(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  struct driven *driven = data;
  driven->engine->on_records = NULL;
  driven->engine->records_length = 0;
  // Only as the thread ends: until it is closed, JavaScript is referred to.
  driven->is_ending = true;
  close_all(driven);
  driven->is_dropped = true;
  release(driven);
}

static void on_tick(uv_timer_t *timer);
static void on_idle(uv_idle_t *idle);

static void go_on(struct driven *driven, bool is_busy) {
  if (driven->is_closed) return;
  const struct engine *engine = driven->engine;
  if (is_busy || engine->ready_first != NULL || engine->records_length > engine->hits_waiting * 24u) uv_idle_start(&driven->idle, on_idle);
  else uv_idle_stop(&driven->idle);
  uint64_t ms = engine->draining > 0 ? ENGINE_DRAIN_MS : ENGINE_TICK_MS;
  if (ms == driven->tick_ms) return;
  driven->tick_ms = ms;
  uv_timer_start(&driven->timer, on_tick, ms, ms);
}

static void on_event(uv_poll_t *poll, int status, int events) {
  (void)status, (void)events;
  struct driven *driven = poll->data;
  go_on(driven, engine_turn(driven->engine));
}

static void on_idle(uv_idle_t *idle) {
  struct driven *driven = idle->data;
  go_on(driven, engine_turn(driven->engine));
}

static void on_tick(uv_timer_t *timer) {
  struct driven *driven = timer->data;
  go_on(driven, engine_tick(driven->engine));
}

static void on_records(struct engine *engine) {
  struct driven *driven = engine->data;
  napi_env env = driven->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value call, resource, records, result;
  void *copy;
  if (napi_create_buffer_copy(env, engine->records_length, engine->records, &copy, &records) == napi_ok &&
      napi_get_reference_value(env, driven->on_records, &call) == napi_ok && napi_create_object(env, &resource) == napi_ok) {
    engine->records_length = 0;
    napi_value exception;
    if (napi_make_callback(env, driven->context, resource, call, 1, &records, &result) == napi_pending_exception &&
        napi_get_and_clear_last_exception(env, &exception) == napi_ok)
      napi_fatal_exception(env, exception);
  }
  napi_close_handle_scope(env, scope);
}

// ---- arguments

static struct driven *take_engine(napi_env env, napi_value value) {
  bool is_ours = false;
  void *data = NULL;
  if (napi_check_object_type_tag(env, value, &engine_tag, &is_ours) != napi_ok || !is_ours || napi_get_value_external(env, value, &data) != napi_ok) {
    throw_type(env, "an engine is expected");
    return NULL;
  }
  return data;
}

static struct blob *take_blob(napi_env env, napi_value value) {
  uint8_t *bytes;
  size_t length;
  if (!take_bytes(env, value, &bytes, &length)) return NULL;
  struct blob *blob = new_blob(bytes, length);
  if (blob == NULL) throw_errno(env, "malloc", ENOMEM);
  return blob;
}

static bool take_id(napi_env env, napi_value value, double *id) {
  if (napi_get_value_double(env, value, id) == napi_ok) return true;
  throw_type(env, "the id of a connection is expected");
  return false;
}

static bool is_undefined(napi_env env, napi_value value) {
  napi_valuetype type;
  return napi_typeof(env, value, &type) == napi_ok && type == napi_undefined;
}

static napi_value boolean(napi_env env, bool is) {
  napi_value value;
  return napi_get_boolean(env, is, &value) == napi_ok ? value : NULL;
}

static napi_value number(napi_env env, double is) {
  napi_value value;
  return napi_create_double(env, is, &value) == napi_ok ? value : NULL;
}

static bool take_state(napi_env env, napi_value value, int64_t *state, size_t count) {
  napi_typedarray_type type;
  size_t length = 0;
  void *data = NULL;
  bool is_typed = false;
  if (napi_is_typedarray(env, value, &is_typed) != napi_ok || !is_typed ||
      napi_get_typedarray_info(env, value, &type, &length, &data, NULL, NULL) != napi_ok || type != napi_bigint64_array || length != count) {
    throw_type(env, "a BigInt64Array of the state of a file is expected");
    return false;
  }
  memcpy(state, data, count * sizeof *state);
  return true;
}

// ---- functions

static bool start_handles(struct driven *driven, uv_loop_t *loop) {
  uv_timer_init(loop, &driven->timer);
  uv_idle_init(loop, &driven->idle);
  driven->poll.data = driven->timer.data = driven->idle.data = driven;
  driven->tick_ms = ENGINE_TICK_MS;
  return uv_timer_start(&driven->timer, on_tick, ENGINE_TICK_MS, ENGINE_TICK_MS) == 0 &&
         uv_poll_start(&driven->poll, UV_READABLE, on_event) == 0;
}

static bool take_limits(napi_env env, const napi_value *args, struct limits *limits) {
  int64_t most, most_each;
  if (!take_int(env, args[0], 1, 60000, &most) || !take_int(env, args[1], 1, 60000, &most_each) ||
      !take_int(env, args[2], 1, 1 << 30, &limits->head_ms) || !take_int(env, args[3], 1, 1 << 30, &limits->idle_ms) ||
      !take_int(env, args[4], 1, 1 << 30, &limits->stall_ms))
    return false;
  limits->most = (uint32_t)most;
  limits->most_each = (uint32_t)most_each;
  return (limits->crowded = take_blob(env, args[5])) != NULL && (limits->timed_out = take_blob(env, args[6])) != NULL &&
         (limits->too_large = take_blob(env, args[7])) != NULL;
}

// httpOpen(most, mostEach, headMs, idleMs, stallMs, crowded, timedOut, tooLarge, onRecords): an engine.
static napi_value http_open(napi_env env, napi_callback_info info) {
  napi_value args[9], name, external;
  struct limits limits = {0};
  uv_loop_t *loop;
  if (!take_args(env, info, 9, args)) return NULL;
  if (!take_limits(env, args, &limits)) {
    drop(&limits.crowded);
    drop(&limits.timed_out);
    drop(&limits.too_large);
    return NULL;
  }
  struct driven *driven = calloc(1, sizeof *driven);
  struct engine *engine = driven == NULL ? NULL : engine_open(&limits);
  if (engine == NULL || napi_get_uv_event_loop(env, &loop) != napi_ok || uv_poll_init(loop, &driven->poll, engine->epoll) != 0) {
    if (engine != NULL) engine_free(engine);
    free(driven);
    throw_errno(env, "epoll_create", ENOMEM);
    return NULL;
  }
  *driven = (struct driven){.engine = engine, .env = env, .poll = driven->poll, .handles = 3};
  engine->data = driven;
  engine->on_records = on_records;
  if (!start_handles(driven, loop) || napi_create_reference(env, args[8], 1, &driven->on_records) != napi_ok ||
      napi_create_string_utf8(env, "reveille:http", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_async_init(env, NULL, name, &driven->context) != napi_ok ||
      napi_add_async_cleanup_hook(env, on_cleanup, driven, &driven->cleanup) != napi_ok ||
      napi_create_external(env, driven, on_dropped, NULL, &external) != napi_ok || napi_type_tag_object(env, external, &engine_tag) != napi_ok) {
    throw_errno(env, "an engine could not be made", ENOMEM);
    return NULL;
  }
  return external;
}

// httpListen(engine, ip, port, sharesPort): the port.
static napi_value http_listen(napi_env env, napi_callback_info info) {
  napi_value args[4];
  int64_t ip, port;
  bool shares;
  struct driven *driven;
  if (!take_args(env, info, 4, args) || (driven = take_engine(env, args[0])) == NULL || !take_int(env, args[1], 0, UINT32_MAX, &ip) ||
      !take_int(env, args[2], 0, 65535, &port) || napi_get_value_bool(env, args[3], &shares) != napi_ok)
    return NULL;
  int got = engine_listen(driven->engine, (uint32_t)ip, (uint16_t)port, shares);
  if (got >= 0) return number(env, got);
  throw_errno(env, "listen", errno);
  return NULL;
}

// httpAnswer(engine, id, head, body | undefined, closes): whether the connection is still there.
static napi_value http_answer(napi_env env, napi_callback_info info) {
  napi_value args[5];
  double id;
  bool closes;
  struct driven *driven;
  struct blob *head, *body = NULL;
  if (!take_args(env, info, 5, args) || (driven = take_engine(env, args[0])) == NULL || !take_id(env, args[1], &id) ||
      napi_get_value_bool(env, args[4], &closes) != napi_ok || (head = take_blob(env, args[2])) == NULL)
    return NULL;
  if (!is_undefined(env, args[3]) && (body = take_blob(env, args[3])) == NULL) {
    drop(&head);
    return NULL;
  }
  bool is_there = engine_answer(driven->engine, id, head, body, closes);
  go_on(driven, false);
  return boolean(env, is_there);
}

// httpSend(engine, id, head, fd, first, length, [size, mtime s, ns] | undefined): whether the connection is still there.
static napi_value http_send(napi_env env, napi_callback_info info) {
  napi_value args[7];
  double id;
  int64_t fd, first, length, state[3] = {0};
  struct driven *driven;
  struct blob *head;
  if (!take_args(env, info, 7, args) || (driven = take_engine(env, args[0])) == NULL || !take_id(env, args[1], &id) ||
      !take_int(env, args[3], 0, INT32_MAX, &fd) || !take_int(env, args[4], 0, INT64_C(1) << 53, &first) ||
      !take_int(env, args[5], 1, INT64_C(1) << 53, &length))
    return NULL;
  bool is_fixed = is_undefined(env, args[6]);
  if (!is_fixed && !take_state(env, args[6], state, 3)) return NULL;
  if ((head = take_blob(env, args[2])) == NULL) return NULL;
  const struct file file = {.fd = (int)fd, .is_fixed = is_fixed, .at = first, .left = length, .size = state[0], .mtime_s = state[1], .mtime_ns = state[2]};
  bool is_there = engine_send(driven->engine, id, head, &file);
  go_on(driven, false);
  return boolean(env, is_there);
}

// httpCut(engine, id)
static napi_value http_cut(napi_env env, napi_callback_info info) {
  napi_value args[2];
  double id;
  struct driven *driven;
  if (!take_args(env, info, 2, args) || (driven = take_engine(env, args[0])) == NULL || !take_id(env, args[1], &id)) return NULL;
  bool is_there = engine_cut(driven->engine, id);
  go_on(driven, false);
  return boolean(env, is_there);
}

// httpProgress(engine, id): the bytes of the body that are out; -1 where the transfer is over.
static napi_value http_progress(napi_env env, napi_callback_info info) {
  napi_value args[2];
  double id;
  struct driven *driven;
  if (!take_args(env, info, 2, args) || (driven = take_engine(env, args[0])) == NULL || !take_id(env, args[1], &id)) return NULL;
  return number(env, engine_progress(driven->engine, id));
}

// httpKeep(engine, target, head, body, path with a 0 at its end, [dev, ino, size, mtime s, ns, ctime s, ns], token)
static napi_value http_keep(napi_env env, napi_callback_info info) {
  napi_value args[7];
  int64_t token;
  uint8_t *path;
  size_t length;
  struct driven *driven;
  struct kept kept = {0};
  if (!take_args(env, info, 7, args) || (driven = take_engine(env, args[0])) == NULL || !take_bytes(env, args[4], &path, &length) ||
      !take_state(env, args[5], kept.state, 7) || !take_int(env, args[6], 0, UINT32_MAX, &token))
    return NULL;
  if (length == 0 || path[length - 1] != 0) {
    throw_type(env, "a path ends in 0");
    return NULL;
  }
  kept.path = (const char *)path;
  kept.token = (uint32_t)token;
  if ((kept.target = take_blob(env, args[1])) == NULL || (kept.head = take_blob(env, args[2])) == NULL ||
      (kept.body = take_blob(env, args[3])) == NULL) {
    drop(&kept.target);
    drop(&kept.head);
    return NULL;
  }
  engine_keep(driven->engine, kept);
  return nothing(env);
}

// httpForget(engine): what was kept.
static napi_value http_forget(napi_env env, napi_callback_info info) {
  napi_value args[1];
  struct driven *driven;
  if (!take_args(env, info, 1, args) || (driven = take_engine(env, args[0])) == NULL) return NULL;
  engine_forget_kept(driven->engine);
  return nothing(env);
}

// httpGauges(engine): [connections, refused, requests, files, file bytes, unreported], the last three of answers from memory.
static napi_value http_gauges(napi_env env, napi_callback_info info) {
  napi_value args[1], list;
  struct driven *driven;
  if (!take_args(env, info, 1, args) || (driven = take_engine(env, args[0])) == NULL) return NULL;
  const struct engine *engine = driven->engine;
  const double numbers[6] = {engine->held, engine->refused, engine->requests, engine->files, engine->file_bytes, engine->unreported};
  if (napi_create_array_with_length(env, 6, &list) != napi_ok) return NULL;
  for (uint32_t i = 0; i < 6; i++) {
    napi_value one = number(env, numbers[i]);
    if (one == NULL || napi_set_element(env, list, i, one) != napi_ok) return NULL;
  }
  return list;
}

// httpClose(engine)
static napi_value http_close(napi_env env, napi_callback_info info) {
  napi_value args[1];
  struct driven *driven;
  if (!take_args(env, info, 1, args) || (driven = take_engine(env, args[0])) == NULL) return NULL;
  close_all(driven);
  return nothing(env);
}

bool export_http(napi_env env, napi_value exports) {
  static const struct export functions[] = {
      {"httpOpen", http_open},         {"httpListen", http_listen},     {"httpAnswer", http_answer}, {"httpSend", http_send},
      {"httpCut", http_cut},           {"httpProgress", http_progress}, {"httpKeep", http_keep},     {"httpForget", http_forget},
      {"httpGauges", http_gauges},     {"httpClose", http_close},
  };
  return export_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
