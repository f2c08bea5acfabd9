#include "addon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static bool refuse(napi_env env, const char *what) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", what);
  return false;
}

bool take_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) != napi_ok || given < count)
    return refuse(env, "too few arguments");
  return true;
}

bool take_double(napi_env env, napi_value value, double *out) {
  return napi_get_value_double(env, value, out) == napi_ok || refuse(env, "a number was wanted");
}

bool take_bool(napi_env env, napi_value value, bool *out) {
  return napi_get_value_bool(env, value, out) == napi_ok || refuse(env, "a boolean was wanted");
}

bool take_int(napi_env env, napi_value value, int *out) {
  double number;
  if (!take_double(env, value, &number)) return false;
  if (!(number >= INT_MIN && number <= INT_MAX) || number != (double)(int)number)
    return refuse(env, "an integer of 32 bits was wanted");
  *out = (int)number;
  return true;
}

bool take_int64(napi_env env, napi_value bigint, int64_t *out) {
  bool lossless = false;
  if (napi_get_value_bigint_int64(env, bigint, out, &lossless) != napi_ok || !lossless)
    return refuse(env, "a bigint of 64 bits was wanted");
  return true;
}

bool take_bytes(napi_env env, napi_value value, struct bytes *out) {
  bool is_buffer = false;
  void *data = NULL;
  if (napi_is_buffer(env, value, &is_buffer) != napi_ok || !is_buffer ||
      napi_get_buffer_info(env, value, &data, &out->size) != napi_ok)
    return refuse(env, "bytes were wanted");
  out->data = data;
  return true;
}

bool take_bytes_copy(napi_env env, napi_value value, struct bytes *out) {
  struct bytes borrowed;
  if (!take_bytes(env, value, &borrowed)) return false;
  out->size = borrowed.size;
  out->data = malloc(borrowed.size + 1);
  if (out->data == NULL) return throw_system_error(env, ENOMEM, "malloc", NULL) != NULL;
  if (borrowed.size > 0) memcpy(out->data, borrowed.data, borrowed.size);
  return true;
}

void bytes_free(struct bytes *bytes) {
  free(bytes->data);
  *bytes = (struct bytes){0};
}

bool take_text(napi_env env, napi_value value, struct text *out) {
  size_t size = 0;
  napi_valuetype type;
  if (napi_typeof(env, value, &type) != napi_ok) return refuse(env, "a path was wanted");
  if (type == napi_string) {
    if (napi_get_value_string_utf8(env, value, NULL, 0, &size) != napi_ok) return refuse(env, "a path was wanted");
    if (size < sizeof out->data) napi_get_value_string_utf8(env, value, out->data, sizeof out->data, &size);
  } else {
    struct bytes bytes;
    if (!take_bytes(env, value, &bytes)) return false;
    size = bytes.size;
    if (size < sizeof out->data && size > 0) memcpy(out->data, bytes.data, size);
  }
  if (size >= sizeof out->data) return throw_system_error(env, ENAMETOOLONG, "path", NULL) != NULL;
  out->data[size] = '\0';
  if (strlen(out->data) != size) return throw_system_error(env, EINVAL, "path", out->data) != NULL;
  return true;
}

napi_value make_int(napi_env env, int value) {
  napi_value out = NULL;
  napi_create_int32(env, value, &out);
  return out;
}

napi_value make_bytes(napi_env env, const struct bytes *bytes) {
  napi_value out = NULL;
  napi_create_buffer_copy(env, bytes->size, bytes->data, NULL, &out);
  return out;
}

napi_value make_undefined(napi_env env) {
  napi_value out = NULL;
  napi_get_undefined(env, &out);
  return out;
}

napi_value make_owner(napi_env env, void *state, const napi_type_tag *tag, napi_finalize release) {
  napi_value object = NULL;
  if (napi_create_object(env, &object) == napi_ok && napi_type_tag_object(env, object, tag) == napi_ok &&
      napi_wrap(env, object, state, release, NULL, NULL) == napi_ok)
    return object;
  release(env, state, NULL);
  return throw_system_error(env, ENOMEM, "napi_wrap", NULL);
}

void *take_owned(napi_env env, napi_value owner, const napi_type_tag *tag, const char *wanted) {
  bool is_one = false;
  void *state = NULL;
  if (napi_check_object_type_tag(env, owner, tag, &is_one) != napi_ok || !is_one ||
      napi_unwrap(env, owner, &state) != napi_ok)
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", wanted);
  return state;
}

void set_property(napi_env env, napi_value object, const char *name, napi_value value) {
  if (value != NULL) napi_set_named_property(env, object, name, value);
}

napi_value make_system_error(napi_env env, int error, const char *syscall, const char *path) {
  char code[32], reason[128], message[PATH_MAX + 256];
  uv_err_name_r(-error, code, sizeof code);
  uv_strerror_r(-error, reason, sizeof reason);
  if (path == NULL) snprintf(message, sizeof message, "%s: %s, %s", code, reason, syscall);
  else snprintf(message, sizeof message, "%s: %s, %s '%s'", code, reason, syscall, path);
  napi_value code_value, message_value, syscall_value, path_value, object = NULL;
  napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &code_value);
  napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &message_value);
  napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &syscall_value);
  napi_create_error(env, code_value, message_value, &object);
  set_property(env, object, "errno", make_int(env, -error));
  set_property(env, object, "syscall", syscall_value);
  if (path != NULL) {
    napi_create_string_utf8(env, path, NAPI_AUTO_LENGTH, &path_value);
    set_property(env, object, "path", path_value);
  }
  return object;
}

napi_value throw_system_error(napi_env env, int error, const char *syscall, const char *path) {
  napi_throw(env, make_system_error(env, error, syscall, path));
  return NULL;
}
