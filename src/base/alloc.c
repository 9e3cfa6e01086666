/* alloc.c - the process-wide allocator and the arenas over it. malloc appears nowhere else.
 *
 * An arena is a list of blocks, newest first; a block that is full is never looked at again. */
#include "base/alloc.h"

#include "base/checked.h"

#include <stdlib.h>
#include <string.h>

enum {
    ARENA_BLOCK_BYTES = 64 * 1024 - 64,
    ARENA_ALIGNMENT = 16,
};

typedef struct qeff_arena_block {
    struct qeff_arena_block *next;
    size_t size;
    _Alignas(ARENA_ALIGNMENT) unsigned char data[];
} qeff_arena_block;

static void *system_allocate(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *system_reallocate(void *ctx, void *block, size_t size)
{
    (void)ctx;
    return realloc(block, size);
}

static void system_deallocate(void *ctx, void *block)
{
    (void)ctx;
    free(block);
}

static const qeff_allocator system_allocator = {system_allocate, system_reallocate,
                                                system_deallocate, NULL};

/* Set once before first use; see qeff_allocator_set(). */
static qeff_allocator allocator = {system_allocate, system_reallocate, system_deallocate, NULL};

void qeff_allocator_set(const qeff_allocator *replacement)
{
    allocator = replacement ? *replacement : system_allocator;
}

void *qeff_alloc(size_t size)
{
    return allocator.allocate(allocator.ctx, size ? size : 1);
}

void *qeff_alloc_zeroed(size_t size)
{
    void *block = qeff_alloc(size);
    if (block) memset(block, 0, size);
    return block;
}

void *qeff_alloc_array(size_t count, size_t size)
{
    size_t bytes = 0;
    if (!qeff_mul_size(count, size, &bytes)) return NULL;
    return qeff_alloc_zeroed(bytes);
}

void *qeff_realloc(void *block, size_t size)
{
    if (!block) return qeff_alloc(size);
    return allocator.reallocate(allocator.ctx, block, size ? size : 1);
}

void qeff_free(void *block)
{
    if (block) allocator.deallocate(allocator.ctx, block);
}

/* The start of the underlying block is kept in the word before the aligned address. */
void *qeff_alloc_aligned(size_t size, size_t alignment)
{
    size_t bytes = 0;
    if (!qeff_add_size(size, alignment + sizeof(void *), &bytes)) return NULL;
    unsigned char *block = qeff_alloc(bytes);
    if (!block) return NULL;
    const uintptr_t first = (uintptr_t)(block + sizeof(void *));
    const size_t skip = (size_t)((alignment - first % alignment) % alignment);
    unsigned char *aligned = block + sizeof(void *) + skip;
    memcpy(aligned - sizeof(void *), &block, sizeof(void *));
    memset(aligned, 0, size);
    return aligned;
}

void qeff_free_aligned(void *block)
{
    if (!block) return;
    void *start = NULL;
    memcpy(&start, (unsigned char *)block - sizeof(void *), sizeof(void *));
    qeff_free(start);
}

char *qeff_copy_str(qeff_str text)
{
    size_t bytes = 0;
    if (!qeff_add_size(text.size, 1, &bytes)) return NULL;
    char *copy = qeff_alloc(bytes);
    if (!copy) return NULL;
    if (text.size) memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

void *qeff_grow(void *items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity) return items;
    size_t wanted = 0, bytes = 0;
    if (!qeff_mul_size(*capacity, 2, &wanted)) return NULL;
    if (wanted < 16) wanted = 16;
    if (wanted <= count && !qeff_add_size(count, 1, &wanted)) return NULL;
    if (!qeff_mul_size(wanted, item_size, &bytes)) return NULL;
    void *moved = qeff_realloc(items, bytes);
    if (moved) *capacity = wanted;
    return moved;
}

void *qeff_arena_alloc(qeff_arena *arena, size_t size)
{
    size_t rounded = 0, bytes = 0;
    if (!qeff_align_size(size ? size : 1, ARENA_ALIGNMENT, &rounded)) return NULL;
    if (!arena->blocks || arena->blocks->size - arena->used < rounded) {
        const size_t room = rounded > ARENA_BLOCK_BYTES ? rounded : ARENA_BLOCK_BYTES;
        if (!qeff_add_size(room, sizeof(qeff_arena_block), &bytes)) return NULL;
        qeff_arena_block *block = qeff_alloc(bytes);
        if (!block) return NULL;
        block->size = room;
        block->next = arena->blocks;
        arena->blocks = block;
        arena->used = 0;
    }
    void *part = arena->blocks->data + arena->used;
    arena->used += rounded;
    memset(part, 0, rounded);
    return part;
}

void *qeff_arena_array(qeff_arena *arena, size_t count, size_t size)
{
    size_t bytes = 0;
    if (!qeff_mul_size(count, size, &bytes)) return NULL;
    return qeff_arena_alloc(arena, bytes);
}

qeff_str qeff_arena_str(qeff_arena *arena, qeff_str text)
{
    size_t bytes = 0;
    char *copy = qeff_add_size(text.size, 1, &bytes) ? qeff_arena_alloc(arena, bytes) : NULL;
    if (!copy) return (qeff_str){NULL, 0};
    if (text.size) memcpy(copy, text.data, text.size);
    return (qeff_str){copy, text.size};
}

void qeff_arena_deinit(qeff_arena *arena)
{
    for (qeff_arena_block *block = arena->blocks; block;) {
        qeff_arena_block *next = block->next;
        qeff_free(block);
        block = next;
    }
    *arena = (qeff_arena){0};
}
