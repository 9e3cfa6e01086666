/* names.c - a hash table from text to number, linear probing, at most half full. */
#include "graph/names.h"

#include "base/alloc.h"
#include "base/checked.h"
#include "base/span.h"

static uint64_t hash_of(const qeff_names *names, qeff_str text)
{
    const uint64_t multiplier = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t h = ((uint64_t)(uintptr_t)names ^ text.size) * multiplier;
    size_t i = 0;
    for (; i + 8 <= text.size; i += 8) {
        h = (h ^ qeff_load_u64le(text.data + i)) * multiplier;
        h ^= h >> 29;
    }
    for (; i < text.size; i++)
        h = (h ^ (unsigned char)text.data[i]) * multiplier;
    return h ^ h >> 32;
}

static qeff_names_entry *slot_for(const qeff_names *names, qeff_str text)
{
    size_t i = (size_t)hash_of(names, text) & (names->n_slots - 1);
    while (names->slots[i].text.data && !qeff_str_equal(names->slots[i].text, text))
        i = (i + 1) & (names->n_slots - 1);
    return &names->slots[i];
}

qeff_names_entry *qeff_names_find(const qeff_names *names, qeff_str text)
{
    if (names->n_slots == 0 || !text.data) return NULL;
    qeff_names_entry *slot = slot_for(names, text);
    return slot->text.data ? slot : NULL;
}

static bool grow(qeff_names *names)
{
    size_t n_slots = 64;
    if (names->n_slots && !qeff_mul_size(names->n_slots, 2, &n_slots)) return false;
    qeff_names_entry *slots = qeff_alloc_array(n_slots, sizeof *slots);
    if (!slots) return false;
    const qeff_names old = *names;
    names->slots = slots;
    names->n_slots = n_slots;
    for (size_t i = 0; i < old.n_slots; i++)
        if (old.slots[i].text.data) *slot_for(names, old.slots[i].text) = old.slots[i];
    qeff_free(old.slots);
    return true;
}

bool qeff_names_add(qeff_names *names, qeff_str text, int32_t value)
{
    if (names->n >= names->n_slots / 2 && !grow(names)) return false;
    *slot_for(names, text) = (qeff_names_entry){.text = text, .value = value};
    names->n++;
    return true;
}

void qeff_names_deinit(qeff_names *names)
{
    qeff_free(names->slots);
    *names = (qeff_names){0};
}
