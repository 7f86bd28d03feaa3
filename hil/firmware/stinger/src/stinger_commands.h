/* The host's commands and uploads; stinger_device_receive is in the same file. For the library's own use. */
#ifndef STINGER_COMMANDS_H
#define STINGER_COMMANDS_H

#include "stinger_device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Refuse an upload that has paused for too long. */
void stinger_check_upload_timeout(stinger_device_t *device);

#ifdef __cplusplus
}
#endif
#endif
