/* The whole library: include this one. */
#ifndef STINGER_H
#define STINGER_H

#include "stinger_block.h"
#include "stinger_device.h"

#endif
