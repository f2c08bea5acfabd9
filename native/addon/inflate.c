/* gzip on the calling thread, from and to buffers that the caller uses again. */
#include "addon.h"
#include "gzip.h"

#include <errno.h>
#include <stdlib.h>

/* "hawser", "inflater" */
static const napi_type_tag inflater_tag = {0x6861777365720000, 0x696e666c61746572};

static void free_inflater(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  free(data);
}

/* createInflater(checks): an object to give to `inflate`. Unless it checks, sums are not looked at. */
napi_value create_inflater(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  bool checks;
  if (!take_arguments(env, info, 1, arguments) || !take_bool(env, arguments[0], &checks)) return NULL;
  struct gzip *gzip = malloc(sizeof *gzip);
  if (gzip == NULL) return throw_system_error(env, ENOMEM, "malloc", NULL);
  gzip_begin(gzip, checks);
  return make_owner(env, gzip, &inflater_tag, free_inflater);
}

/*
 * inflate(inflater, input, output): { read, written, ended }. Goes on until all input is read, the output is full, or a
 * member ends, after which the next input begins another one.
 */
napi_value inflate_bytes(napi_env env, napi_callback_info info) {
  napi_value arguments[3], value = NULL, is_end = NULL;
  struct bytes input, output;
  if (!take_arguments(env, info, 3, arguments)) return NULL;
  struct gzip *gzip = take_owned(env, arguments[0], &inflater_tag, "an inflater was wanted");
  if (gzip == NULL || !take_bytes(env, arguments[1], &input) || !take_bytes(env, arguments[2], &output)) return NULL;
  if (input.size > INT_MAX || output.size > INT_MAX) return throw_system_error(env, EINVAL, "inflate", NULL);
  struct deflate_buffers buffers = {input.data, input.data + input.size, output.data, output.data + output.size};
  bool ended;
  const char *problem = gzip_expand(gzip, &buffers, &ended);
  if (problem != NULL) {
    napi_throw_error(env, "Z_DATA_ERROR", problem);
    return NULL;
  }
  if (napi_create_object(env, &value) != napi_ok || napi_get_boolean(env, ended, &is_end) != napi_ok)
    return throw_system_error(env, ENOMEM, "napi_create_object", NULL);
  set_property(env, value, "read", make_int(env, (int)(buffers.in - input.data)));
  set_property(env, value, "written", make_int(env, (int)(buffers.out - output.data)));
  set_property(env, value, "ended", is_end);
  return value;
}
