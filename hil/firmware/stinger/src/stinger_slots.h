/* The stored models: three files, one for each slot. For the library's own use. */
#ifndef STINGER_SLOTS_H
#define STINGER_SLOTS_H

#include "stinger_device.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const stinger_slot_t stinger_all_slots[3];

/* Return the size of the file in `slot`, copied to device->file; 0 for none. */
size_t stinger_recall(stinger_device_t *device, stinger_slot_t slot);

/* Return whether device->file, of `size` bytes, is a valid model that may be in `slot`; if so, set its `type`. */
bool stinger_is_for_slot(const stinger_device_t *device, size_t size, stinger_slot_t slot, stinger_model_type_t *type);

/* Use the stored models. The single file counts only if neither of the two others is there. */
void stinger_load_stored(stinger_device_t *device);

#ifdef __cplusplus
}
#endif
#endif
