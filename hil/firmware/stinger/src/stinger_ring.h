/* A lock-free queue of samples from one sampling core (or interrupt) to one sending core (or main loop).
 *
 * Exactly one caller may push and one may pop. Neither ever waits. A full ring drops the new sample and counts it. */
#ifndef STINGER_RING_H
#define STINGER_RING_H

#include "stinger_frame.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef STINGER_RING_ENTRIES
#define STINGER_RING_ENTRIES 32U        /* a power of two; 32 samples are 320 ms */
#endif

typedef struct {
    stinger_sample_t sample;
    stinger_score_t score;
    uint32_t number;                    /* counts every sample since the start, also dropped ones */
} stinger_entry_t;

typedef struct {
    stinger_entry_t entries[STINGER_RING_ENTRIES];
    uint32_t head;                      /* entries pushed so far; written by the pushing side only */
    uint32_t tail;                      /* entries popped so far; written by the popping side only */
    uint32_t numbered;                  /* samples offered so far; written by the pushing side only */
    uint32_t dropped;                   /* samples for which there was no room; written by the pushing side only */
} stinger_ring_t;

void stinger_ring_init(stinger_ring_t *ring);

/* Append a sample; return false, and count it as dropped, if the ring is full. */
bool stinger_ring_push(stinger_ring_t *ring, const stinger_sample_t *sample, const stinger_score_t *score);

/* Take the oldest sample; return false if there is none. */
bool stinger_ring_pop(stinger_ring_t *ring, stinger_entry_t *entry);

/* Drop every sample that is in the ring now. For the popping side. */
void stinger_ring_clear(stinger_ring_t *ring);

#ifdef __cplusplus
}
#endif
#endif
