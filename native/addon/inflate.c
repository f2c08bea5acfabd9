/* gzip on the calling thread, from and to buffers that the caller uses again: with the zlib that the node at hand brings. */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

/* "hawser", "inflater" */
static const napi_type_tag inflater_tag = {0x6861777365720000, 0x696e666c61746572};

static void free_inflater(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  inflateEnd(data);
  free(data);
}

/* createInflater(checks): an object to give to `inflate`. Unless it checks, sum and length behind a member are not looked at. */
napi_value create_inflater(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  bool checks;
  if (!take_arguments(env, info, 1, arguments) || !take_bool(env, arguments[0], &checks)) return NULL;
  z_stream *stream = calloc(1, sizeof *stream);
  /* The largest window, and a gzip header. */
  if (stream == NULL || inflateInit2(stream, 15 + 16) != Z_OK) {
    free(stream);
    return throw_system_error(env, ENOMEM, "inflateInit2", NULL);
  }
  inflateValidate(stream, checks);
  return make_owner(env, stream, &inflater_tag, free_inflater);
}

/*
 * inflate(inflater, input, output): { read, written, ended }. Goes on until all input is read, the output is full, or a
 * member ends, after which the next input begins another one.
 */
napi_value inflate_bytes(napi_env env, napi_callback_info info) {
  napi_value arguments[3], value = NULL, ended = NULL;
  struct bytes input, output;
  if (!take_arguments(env, info, 3, arguments)) return NULL;
  z_stream *stream = take_owned(env, arguments[0], &inflater_tag, "an inflater was wanted");
  if (stream == NULL || !take_bytes(env, arguments[1], &input) || !take_bytes(env, arguments[2], &output)) return NULL;
  if (input.size > INT_MAX || output.size > INT_MAX) return throw_system_error(env, EINVAL, "inflate", NULL);
  stream->next_in = input.data;
  stream->avail_in = (unsigned)input.size;
  stream->next_out = output.data;
  stream->avail_out = (unsigned)output.size;
  int status = inflate(stream, Z_NO_FLUSH);
  const int read = (int)input.size - (int)stream->avail_in, written = (int)output.size - (int)stream->avail_out;
  if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
    const char *code = status == Z_MEM_ERROR ? "Z_MEM_ERROR" : "Z_DATA_ERROR";
    napi_throw_error(env, code, stream->msg != NULL ? stream->msg : "it cannot be expanded");
    return NULL;
  }
  if (status == Z_STREAM_END) inflateReset(stream);
  if (napi_create_object(env, &value) != napi_ok || napi_get_boolean(env, status == Z_STREAM_END, &ended) != napi_ok)
    return throw_system_error(env, ENOMEM, "napi_create_object", NULL);
  set_property(env, value, "read", make_int(env, read));
  set_property(env, value, "written", make_int(env, written));
  set_property(env, value, "ended", ended);
  return value;
}
