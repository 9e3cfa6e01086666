/* cache.h - the program cache: folders keyed by content that appear complete or not at all.
 *
 *   <root>/<architecture>/<model_name>-<16 hex of the model's digest>/   exported ONNX
 *   <root>/<architecture>/<model_name>-<16 hex>/qpc-<16 hex of the key>/ a program
 *
 * The root is QEFF_HOME, else $XDG_CACHE_HOME/qeff_models, else ~/.cache/qeff_models. Names carry
 * 16 hex digits for people; what decides is the whole key in the program's manifest. */
#ifndef COMPILE_CACHE_H
#define COMPILE_CACHE_H

#include "base/file.h"
#include "base/hash.h"

/** Path of the cache root; it need not exist.
 * @return QEFF_ERR_NOT_FOUND where no variable names a place, QEFF_ERR_INVALID (too long) */
qeff_status qeff_cache_root(char out[QEFF_PATH_MAX], qeff_error *err);

/** Folder of a model under the root. `architecture` and `model_name` come from a config file:
 * anything but letters, digits, '_', '-' and '.' becomes '_'. */
qeff_status qeff_cache_model_folder(qeff_str architecture, const char *model_name,
                                    const uint8_t model_digest[QEFF_HASH_BYTES],
                                    char out[QEFF_PATH_MAX], qeff_error *err);

/** Folder of a program inside its model's folder. */
qeff_status qeff_cache_program_folder(const char *model_folder, const uint8_t key[QEFF_HASH_BYTES],
                                      char out[QEFF_PATH_MAX], qeff_error *err);

/** Takes the lock that spares two runs the same work; held while compiling. */
qeff_status qeff_cache_lock(const char *program_folder, qeff_lock *lock, qeff_error *err);

/** Moves a damaged entry out of the way, to `<folder>.corrupt-<pid>`; missing is fine. */
qeff_status qeff_cache_quarantine(const char *program_folder, qeff_error *err);

#endif /* COMPILE_CACHE_H */
