// What the parts of the addon share: arguments from JavaScript with their bounds checked, and errors of system calls.
#ifndef REVEILLE_BINDING_H
#define REVEILLE_BINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAPI_VERSION 9
#include <node_api.h>

// Names a function of JavaScript. Each part of the addon has an array of them, which `export_functions` exports.
struct export {
  const char *name;
  napi_callback call;
};

// Gives `exports` the functions. False with an exception pending where that fails.
bool export_functions(napi_env env, napi_value exports, const struct export *list, size_t count);

// The other parts, each with its file.
bool export_udp(napi_env env, napi_value exports);

// Reads as many arguments as `wanted` into `args`. False with an exception pending where there are fewer.
bool take_args(napi_env env, napi_callback_info info, size_t wanted, napi_value *args);

// Read one argument. False with a TypeError pending where it is none of that type or lies outside of the bounds, both included.
bool take_int(napi_env env, napi_value value, int64_t least, int64_t most, int64_t *into);
bool take_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length);

// Throws an Error whose `code` is that of errno (ENOENT, ...) and whose message names the call.
void throw_errno(napi_env env, const char *call, int number);
void throw_type(napi_env env, const char *message);

// Undefined, null where even that cannot be had: what a function gives that has nothing to give.
napi_value nothing(napi_env env);

// The parts of the addon: each exports its functions. False with an exception pending where that fails.
bool export_http(napi_env env, napi_value exports);

#endif
