/* model_files.c - reading the small JSON files of a model folder.
 *
 * A file is read once; its digest and the parsed document come from the same bytes, so a file that
 * changes meanwhile cannot give a model another file's hash. */
#include "models/model_files.h"

#include "base/error.h"
#include "base/span.h"

#include <stdio.h>

enum { FILE_BYTES_MAX = 16 * 1024 * 1024 };

static const qeff_json_limits limits = {.max_bytes = FILE_BYTES_MAX, .max_values = 200000};

void qeff_model_files_deinit(qeff_model_files *files)
{
    qeff_free(files->items);
    *files = (qeff_model_files){0};
}

static qeff_status remember(qeff_model_files *files, const char *role, const char *path,
                            qeff_bytes data, qeff_error *err)
{
    qeff_model_file file = {NULL, NULL, {0}};
    QEFF_TRY(qeff_hash_bytes(data, file.digest, err));
    file.role = qeff_arena_str(files->arena, qeff_str_of(role)).data;
    file.path = qeff_arena_str(files->arena, qeff_str_of(path)).data;
    qeff_model_file *items = qeff_grow(files->items, files->n, &files->capacity, sizeof *items);
    if (!items) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    files->items = items;
    if (!file.role || !file.path) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    items[files->n++] = file;
    return QEFF_OK;
}

static qeff_status
join(const char *root, qeff_str folder, const char *name, char path[QEFF_PATH_MAX], qeff_error *err)
{
    char relative[QEFF_PATH_MAX];
    const char *separator = folder.size ? "/" : "";
    if (folder.size >= sizeof relative - strlen(name) - 1)
        return qeff_fail(err, QEFF_ERR_FORMAT, "'%.*s': name of a folder too long",
                         QEFF_STR_ARGS(folder));
    const int n = snprintf(relative, sizeof relative, "%.*s%s%s", (int)folder.size,
                           folder.data ? folder.data : "", separator, name);
    /* A NUL inside the folder's name would hide the rest of it from every later check. */
    if (n < 0 || (size_t)n != folder.size + strlen(separator) + strlen(name))
        return qeff_fail(err, QEFF_ERR_FORMAT, "'%.*s': not the name of a folder",
                         QEFF_STR_ARGS(folder));
    return qeff_path_join_untrusted(root, qeff_str_of(relative), path, err);
}

qeff_status
qeff_model_files_read(qeff_model_files *files, const char *root, qeff_str folder, const char *name,
                      const char *role, bool is_optional, char path[QEFF_PATH_MAX],
                      qeff_json_document **out, qeff_error *err)
{
    qeff_file file = {0};
    *out = NULL;
    QEFF_TRY(join(root, folder, name, path, err));
    if (is_optional && !qeff_path_exists(path)) return QEFF_OK;
    QEFF_TRY(qeff_file_read(path, FILE_BYTES_MAX, &file, err));

    const qeff_bytes data = {file.data, file.size};
    const qeff_str text = {(const char *)file.data, file.size};
    qeff_status status = remember(files, role ? role : name, path, data, err);
    if (!status) status = qeff_json_parse(text, &limits, out, err);
    qeff_file_unmap(&file);
    return qeff_within(err, status, "'%s'", path);
}
