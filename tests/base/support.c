/* support.c - see support.h. The counters are static: tests of a program run one after another. */
#include "base/support.h"

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

void test_folder_create(test_folder *folder)
{
    const char *parent = getenv("TMPDIR");
    (void)snprintf(folder->path, sizeof folder->path, "%s/qeff-test-XXXXXX",
                   parent && parent[0] && strlen(parent) < 200 ? parent : "/tmp");
    assert_non_null(mkdtemp(folder->path));
}

void test_folder_remove(test_folder *folder)
{
    assert_int_equal(qeff_folder_remove(folder->path, NULL), QEFF_OK);
}

const char *test_path(const test_folder *folder, const char *name)
{
    static char paths[4][QEFF_PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    assert_true((size_t)snprintf(path, QEFF_PATH_MAX, "%s/%s", folder->path, name) < QEFF_PATH_MAX);
    return path;
}

const char *test_file(const test_folder *folder, const char *name, const void *data, size_t size)
{
    const char *path = test_path(folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (size) assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

const char *test_text_file(const test_folder *folder, const char *name, const char *text)
{
    return test_file(folder, name, text, strlen(text));
}

static bool count_name(void *ctx, const char *name)
{
    (void)name;
    ++*(size_t *)ctx;
    return true;
}

size_t test_count_names(const test_folder *folder)
{
    size_t n = 0;
    assert_int_equal(qeff_folder_visit(folder->path, count_name, &n, NULL), QEFF_OK);
    return n;
}

static struct {
    size_t n_calls, fail_at, n_live, n_bytes, peak;
    bool was_injected;
} memory;

static bool memory_fails(void)
{
    if (++memory.n_calls != memory.fail_at) return false;
    memory.was_injected = true;
    return true;
}

static void *hold(void *block)
{
    if (block) memory.n_bytes += malloc_usable_size(block);
    if (memory.n_bytes > memory.peak) memory.peak = memory.n_bytes;
    return block;
}

void *test_hook_malloc(size_t size)
{
    void *block = memory_fails() ? NULL : malloc(size);
    memory.n_live += block != NULL;
    return hold(block);
}

void test_hook_free(void *block)
{
    if (!block) return;
    memory.n_bytes -= malloc_usable_size(block);
    memory.n_live--;
    free(block);
}

static void *counting_allocate(void *ctx, size_t size)
{
    (void)ctx;
    return test_hook_malloc(size);
}

static void *counting_reallocate(void *ctx, void *block, size_t size)
{
    (void)ctx;
    if (memory_fails()) return NULL;
    const size_t before = malloc_usable_size(block);
    void *moved = realloc(block, size);
    if (moved) memory.n_bytes -= before;
    return moved ? hold(moved) : NULL;
}

static void counting_deallocate(void *ctx, void *block)
{
    (void)ctx;
    test_hook_free(block);
}

size_t test_allocator_calls(void)
{
    return memory.n_calls;
}

size_t test_allocator_peak(void)
{
    return memory.peak;
}

void test_allocator_arm(size_t n)
{
    static const qeff_allocator counting = {counting_allocate, counting_reallocate,
                                            counting_deallocate, NULL};
    memory.n_calls = 0;
    memory.n_live = 0;
    memory.n_bytes = 0;
    memory.peak = 0;
    memory.fail_at = n;
    memory.was_injected = false;
    qeff_allocator_set(&counting);
}

size_t test_allocator_disarm(bool *was_injected)
{
    qeff_allocator_set(NULL);
    *was_injected = memory.was_injected;
    return memory.n_live;
}

static struct {
    qeff_io system;
    size_t n_calls, fail_at;
    test_fault fault;
    int error;
    bool was_injected;
} io;

/* Whether this call is the one that fails; then `*error` says how. */
static bool io_fails(int *error)
{
    if (++io.n_calls != io.fail_at) return false;
    io.was_injected = true;
    if (io.fault == TEST_FAULT_SHORT) return false;
    *error = io.error;
    return true;
}

static size_t io_size(size_t size)
{
    const bool is_short = io.fault == TEST_FAULT_SHORT && io.n_calls == io.fail_at;
    return is_short && size > 1 ? 1 : size;
}

static int io_open(void *ctx, const char *path, int flags, unsigned mode, int *error)
{
    return io_fails(error) ? -1 : io.system.open(ctx, path, flags, mode, error);
}

/* As on Linux, the descriptor is gone even where close fails. */
static int io_close(void *ctx, int fd, int *error)
{
    const bool fails = io_fails(error);
    int ignored = 0;
    const int status = io.system.close(ctx, fd, fails ? &ignored : error);
    return fails ? -1 : status;
}

static int64_t io_read(void *ctx, int fd, void *buffer, size_t size, int *error)
{
    return io_fails(error) ? -1 : io.system.read(ctx, fd, buffer, io_size(size), error);
}

static int64_t io_write(void *ctx, int fd, const void *data, size_t size, int *error)
{
    return io_fails(error) ? -1 : io.system.write(ctx, fd, data, io_size(size), error);
}

static int64_t io_copy(void *ctx, int to, int from, int64_t offset, size_t size, int *error)
{
    return io_fails(error) ? -1 : io.system.copy(ctx, to, from, offset, io_size(size), error);
}

static int io_stat(void *ctx, int fd, int64_t *size, bool *is_regular, int *error)
{
    return io_fails(error) ? -1 : io.system.stat(ctx, fd, size, is_regular, error);
}

static void *io_map(void *ctx, int fd, size_t size, int *error)
{
    return io_fails(error) ? NULL : io.system.map(ctx, fd, size, error);
}

static int io_sync(void *ctx, int fd, int *error)
{
    return io_fails(error) ? -1 : io.system.sync(ctx, fd, error);
}

static int io_rename(void *ctx, const char *from, const char *to, int *error)
{
    return io_fails(error) ? -1 : io.system.rename(ctx, from, to, error);
}

static int io_unlink(void *ctx, const char *path, int *error)
{
    return io_fails(error) ? -1 : io.system.unlink(ctx, path, error);
}

static int io_mkdir(void *ctx, const char *path, unsigned mode, int *error)
{
    return io_fails(error) ? -1 : io.system.mkdir(ctx, path, mode, error);
}

static int io_rmdir(void *ctx, const char *path, int *error)
{
    return io_fails(error) ? -1 : io.system.rmdir(ctx, path, error);
}

static int io_lock(void *ctx, int fd, bool wait, int *error)
{
    return io_fails(error) ? -1 : io.system.lock(ctx, fd, wait, error);
}

void test_io_arm(size_t n, test_fault fault, int error)
{
    qeff_io_set(NULL);
    io.system = *qeff_io_get();
    io.n_calls = 0;
    io.fail_at = n;
    io.fault = fault;
    io.error = error;
    io.was_injected = false;
    qeff_io table = io.system;
    table.open = io_open;
    table.close = io_close;
    table.read = io_read;
    table.write = io_write;
    table.copy = io_copy;
    table.stat = io_stat;
    table.map = io_map;
    table.sync = io_sync;
    table.rename = io_rename;
    table.unlink = io_unlink;
    table.mkdir = io_mkdir;
    table.rmdir = io_rmdir;
    table.lock = io_lock;
    qeff_io_set(&table);
}

bool test_io_disarm(void)
{
    qeff_io_set(NULL);
    return io.was_injected;
}
