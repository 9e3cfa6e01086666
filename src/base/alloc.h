/* alloc.h - the only way to the heap: the process-wide allocator, and arenas for things that
 * are freed together. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <qeff/base.h>

/** `size` bytes, or NULL. A size of 0 gives a block of its own. */
void *qeff_alloc(size_t size);

/** As qeff_alloc(), filled with zero. */
void *qeff_alloc_zeroed(size_t size);

/** `count` elements of `size` bytes, zeroed; NULL also where the product overflows. */
void *qeff_alloc_array(size_t count, size_t size);

/** Grows or shrinks; the old block stays valid where NULL is returned. */
void *qeff_realloc(void *block, size_t size);

/** `size` bytes aligned to `alignment` (a power of two up to 4 MiB), zeroed; NULL where there is
 * no memory. Release with qeff_free_aligned() only. */
void *qeff_alloc_aligned(size_t size, size_t alignment);
void qeff_free_aligned(void *block);

/** NULL is allowed. */
void qeff_free(void *block);

/** A copy of `text` with a NUL behind it; NULL where there is no memory. */
char *qeff_copy_str(qeff_str text);

/** Grows an array so that one more element fits: doubles `*capacity` where `count` reached it.
 * Returns the (possibly moved) array, or NULL with `items` and `*capacity` untouched. */
void *qeff_grow(void *items, size_t count, size_t *capacity, size_t item_size);

/** A region whose parts are freed together. Zero-initialise; one owner; not thread-safe. */
typedef struct qeff_arena {
    struct qeff_arena_block *blocks;
    size_t used; /**< bytes taken in the newest block */
} qeff_arena;

/** `size` zeroed bytes aligned for any type, valid until qeff_arena_deinit(); NULL: no memory. */
void *qeff_arena_alloc(qeff_arena *arena, size_t size);

/** `count` zeroed elements; NULL also where the product overflows. */
void *qeff_arena_array(qeff_arena *arena, size_t count, size_t size);

/** A NUL-terminated copy in the arena; its `data` is NULL where there is no memory. */
qeff_str qeff_arena_str(qeff_arena *arena, qeff_str text);

/** Frees all of it; the arena can be used again. */
void qeff_arena_deinit(qeff_arena *arena);

#endif /* BASE_ALLOC_H */
