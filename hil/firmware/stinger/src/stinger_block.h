/* Messages of samples for a device with a network connection, which publishes them to stinger/<device>/samples. */
#ifndef STINGER_BLOCK_H
#define STINGER_BLOCK_H

#include <stdbool.h>

#include "stinger_sample.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef STINGER_BLOCK_SAMPLES
#define STINGER_BLOCK_SAMPLES 20U       /* five messages a second */
#endif
#define STINGER_BLOCK_BYTES (4U + STINGER_SAMPLE_BYTES * STINGER_BLOCK_SAMPLES)

typedef struct {
    uint8_t message[STINGER_BLOCK_BYTES];
    uint32_t taken;                     /* samples before this block, also those of blocks that were never published */
    uint32_t count;                     /* samples in this block */
} stinger_block_t;

/* Start with an empty block and a counter of 0, by which the host sees that the device has started. */
void stinger_block_init(stinger_block_t *block);

/* Add a sample; return true once the block is full: then publish its message, and call stinger_block_next. */
bool stinger_block_add(stinger_block_t *block, const stinger_sample_t *sample);

/* Begin the next block. If the last block could not be published, the counter shows the host that it is missing. */
void stinger_block_next(stinger_block_t *block);

#ifdef __cplusplus
}
#endif
#endif
