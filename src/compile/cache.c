/* cache.c - where programs are kept, and who may write there at a time.
 *
 * Entries are made in a temporary folder and renamed (base/writer.c); readers need no lock. The
 * lock only keeps two processes from doing the same work: with locks that do nothing the second
 * one compiles for itself and finds that the entry is there. */
#include "compile/cache.h"

#include "base/error.h"
#include "base/span.h"

#include <stdio.h>
#include <unistd.h>

enum { HEX_SHOWN = 16 };

qeff_status qeff_cache_root(char out[QEFF_PATH_MAX], qeff_error *err)
{
    const char *home = qeff_environment_get("QEFF_HOME");
    if (home) return qeff_path_join("", qeff_str_of(home), out, err);
    home = qeff_environment_get("XDG_CACHE_HOME");
    if (home) return qeff_path_join(home, QEFF_STR("qeff_models"), out, err);
    home = qeff_environment_get("HOME");
    if (home) return qeff_path_join(home, QEFF_STR(".cache/qeff_models"), out, err);
    const qeff_status status =
        qeff_fail(err, QEFF_ERR_NOT_FOUND, "no place for the program cache: HOME is not set");
    qeff_hint(err, "set QEFF_HOME to a folder");
    return status;
}

/* A folder name from untrusted text: cut to 100 bytes, never empty, never starting with a dot. */
static void append_safe(char *out, size_t size, qeff_str text)
{
    size_t used = strlen(out);
    const size_t first = used;
    for (size_t i = 0; i < text.size && i < 100 && used + 1 < size; i++) {
        const char c = text.data[i];
        const bool is_safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                             (c == '.' && used > first);
        out[used++] = is_safe ? c : '_';
    }
    if (used == first && used + 1 < size) out[used++] = '_';
    out[used] = '\0';
}

qeff_status qeff_cache_model_folder(qeff_str architecture, const char *model_name,
                                    const uint8_t model_digest[QEFF_HASH_BYTES],
                                    char out[QEFF_PATH_MAX], qeff_error *err)
{
    char root[QEFF_PATH_MAX], name[512] = "", hex[QEFF_HASH_HEX + 1];
    QEFF_TRY(qeff_cache_root(root, err));
    append_safe(name, sizeof name, architecture);
    (void)snprintf(name + strlen(name), sizeof name - strlen(name), "/");
    append_safe(name, sizeof name, qeff_str_of(model_name));
    qeff_hash_format(model_digest, hex);
    (void)snprintf(name + strlen(name), sizeof name - strlen(name), "-%.*s", HEX_SHOWN, hex);
    return qeff_path_join(root, qeff_str_of(name), out, err);
}

qeff_status qeff_cache_program_folder(const char *model_folder, const uint8_t key[QEFF_HASH_BYTES],
                                      char out[QEFF_PATH_MAX], qeff_error *err)
{
    char hex[QEFF_HASH_HEX + 1], name[32];
    qeff_hash_format(key, hex);
    (void)snprintf(name, sizeof name, "qpc-%.*s", HEX_SHOWN, hex);
    return qeff_path_join(model_folder, qeff_str_of(name), out, err);
}

qeff_status qeff_cache_lock(const char *program_folder, qeff_lock *lock, qeff_error *err)
{
    char path[QEFF_PATH_MAX + 8];
    const char *slash = strrchr(program_folder, '/');
    char folder[QEFF_PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash ? slash - program_folder : 0),
                   program_folder);
    QEFF_TRY(qeff_folder_create(folder, err));
    (void)snprintf(path, sizeof path, "%s/.%s.lock", folder, slash ? slash + 1 : program_folder);
    return qeff_lock_acquire(lock, path, err);
}

qeff_status qeff_cache_quarantine(const char *program_folder, qeff_error *err)
{
    const qeff_io *io = qeff_io_get();
    char aside[QEFF_PATH_MAX + 32];
    int error = 0;
    if (!qeff_path_exists(program_folder)) return QEFF_OK;
    (void)snprintf(aside, sizeof aside, "%s.corrupt-%ld", program_folder, (long)getpid());
    (void)qeff_folder_remove(aside, NULL);
    if (io->rename(io->ctx, program_folder, aside, &error) == 0) return QEFF_OK;
    return qeff_folder_remove(program_folder, err);
}
