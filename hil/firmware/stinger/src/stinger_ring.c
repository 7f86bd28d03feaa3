#include "stinger_ring.h"

#include <string.h>

#include "stinger_atomic.h"

#if (STINGER_RING_ENTRIES & (STINGER_RING_ENTRIES - 1U)) != 0
#error "STINGER_RING_ENTRIES must be a power of two"
#endif

void stinger_ring_init(stinger_ring_t *ring)
{
    memset(ring, 0, sizeof *ring);
}

bool stinger_ring_push(stinger_ring_t *ring, const stinger_sample_t *sample, const stinger_score_t *score)
{
    uint32_t head = ring->head;
    uint32_t number = ring->numbered;
    stinger_entry_t *entry = &ring->entries[head % STINGER_RING_ENTRIES];
    STINGER_STORE(ring->numbered, number + 1U);
    if (head - STINGER_LOAD(ring->tail) >= STINGER_RING_ENTRIES) {
        STINGER_STORE(ring->dropped, ring->dropped + 1U);
        return false;
    }
    entry->sample = *sample;
    entry->score = *score;
    entry->number = number;
    STINGER_STORE(ring->head, head + 1U);   /* only now does the other side see the entry */
    return true;
}

bool stinger_ring_pop(stinger_ring_t *ring, stinger_entry_t *entry)
{
    uint32_t tail = ring->tail;
    if (tail == STINGER_LOAD(ring->head)) {
        return false;
    }
    *entry = ring->entries[tail % STINGER_RING_ENTRIES];
    STINGER_STORE(ring->tail, tail + 1U);   /* only now may the other side overwrite the entry */
    return true;
}

void stinger_ring_clear(stinger_ring_t *ring)
{
    STINGER_STORE(ring->tail, STINGER_LOAD(ring->head));
}
