/* file_of_bytes.h - makes the bytes of a fuzz input a file, without touching the disk: every path
 * opens as that file, and is mapped as a block of exactly its size, so that the address sanitizer
 * sees a read past the end of the file. */
#ifndef FUZZ_FORMATS_FILE_OF_BYTES_H
#define FUZZ_FORMATS_FILE_OF_BYTES_H

#include <qeff/base.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct file_of_bytes {
    const uint8_t *data;
    size_t size;
    size_t at; /* of the next read */
} file_of_bytes;

static int bytes_open(void *ctx, const char *path, int flags, unsigned mode, int *error)
{
    (void)path, (void)flags, (void)mode, (void)error;
    ((file_of_bytes *)ctx)->at = 0;
    return 1000000; /* no descriptor of the process */
}

static int bytes_close(void *ctx, int fd, int *error)
{
    (void)ctx, (void)fd, (void)error;
    return 0;
}

static int bytes_stat(void *ctx, int fd, int64_t *size, bool *is_regular, int *error)
{
    (void)fd, (void)error;
    *size = (int64_t)((file_of_bytes *)ctx)->size;
    *is_regular = true;
    return 0;
}

static int64_t bytes_read(void *ctx, int fd, void *buffer, size_t size, int *error)
{
    file_of_bytes *file = ctx;
    (void)fd, (void)error;
    const size_t rest = file->size - file->at;
    const size_t n = size < rest ? size : rest;
    if (n) memcpy(buffer, file->data + file->at, n);
    file->at += n;
    return (int64_t)n;
}

static void *bytes_map(void *ctx, int fd, size_t size, int *error)
{
    const file_of_bytes *file = ctx;
    (void)fd, (void)error;
    void *block = malloc(size);
    if (block && size) memcpy(block, file->data, size);
    return block;
}

static void bytes_unmap(void *ctx, void *data, size_t size)
{
    (void)ctx, (void)size;
    free(data);
}

/* The table keeps `file`; it lasts until the next call. */
static inline void file_of_bytes_set(file_of_bytes *file, const uint8_t *data, size_t size)
{
    *file = (file_of_bytes){data, size, 0};
    qeff_io_set(NULL);
    qeff_io table = *qeff_io_get();
    table.open = bytes_open;
    table.close = bytes_close;
    table.stat = bytes_stat;
    table.read = bytes_read;
    table.map = bytes_map;
    table.unmap = bytes_unmap;
    table.ctx = file;
    qeff_io_set(&table);
}

/* A promise of the library that an input broke. */
static inline void fuzz_check(bool is_kept)
{
    if (!is_kept) abort();
}

#endif /* FUZZ_FORMATS_FILE_OF_BYTES_H */
