/* model_files.h - the small JSON files of a model folder: found safely, read once, remembered by
 * digest. */
#ifndef MODELS_MODEL_FILES_H
#define MODELS_MODEL_FILES_H

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "formats/json.h"

/** A small file that decides about the result, as it was when the model was opened. */
typedef struct qeff_model_file {
    const char *role; /**< "config.json", "module 1", …: the same wherever the folder lies */
    const char *path;
    uint8_t digest[QEFF_HASH_BYTES]; /**< SHA-256 of its bytes */
} qeff_model_file;

/** Zero-initialise. The strings lie in the arena. */
typedef struct qeff_model_files {
    qeff_arena *arena;
    qeff_model_file *items;
    size_t n, capacity;
} qeff_model_files;

void qeff_model_files_deinit(qeff_model_files *files);

/** Reads and parses `root/folder/name`, where `folder` (which may be empty) comes from a file of
 * the model and is checked. The path of the file is left in `path` for messages.
 *
 * @param role         NULL: `name` is the role
 * @param is_optional  a missing file gives QEFF_OK and `*out` NULL
 * @return QEFF_ERR_NOT_FOUND, QEFF_ERR_FORMAT, QEFF_ERR_IO, QEFF_ERR_NO_MEMORY */
qeff_status
qeff_model_files_read(qeff_model_files *files, const char *root, qeff_str folder, const char *name,
                      const char *role, bool is_optional, char path[QEFF_PATH_MAX],
                      qeff_json_document **out, qeff_error *err);

#endif /* MODELS_MODEL_FILES_H */
