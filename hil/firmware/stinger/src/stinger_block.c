#include "stinger_block.h"

#include <string.h>

#include "stinger_bytes.h"

void stinger_block_init(stinger_block_t *block)
{
    memset(block, 0, sizeof *block);
}

bool stinger_block_add(stinger_block_t *block, const stinger_sample_t *sample)
{
    if (block->count < STINGER_BLOCK_SAMPLES) {
        stinger_sample_encode(sample, block->message + 4U + STINGER_SAMPLE_BYTES * block->count);
        block->count++;
    }
    return block->count == STINGER_BLOCK_SAMPLES;
}

void stinger_block_next(stinger_block_t *block)
{
    block->taken += block->count;
    block->count = 0;
    stinger_put_u32(block->message, block->taken);
}
