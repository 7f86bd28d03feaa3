#include "stinger_slots.h"

const stinger_slot_t stinger_all_slots[3] = {STINGER_SLOT_SINGLE, STINGER_SLOT_LR, STINGER_SLOT_MLP};

size_t stinger_recall(stinger_device_t *device, stinger_slot_t slot)
{
    const stinger_port_t *port = device->port;
    size_t size = port->recall ? port->recall(port->context, slot, device->file, sizeof device->file) : 0U;
    return size <= sizeof device->file ? size : 0U;
}

bool stinger_is_for_slot(const stinger_device_t *device, size_t size, stinger_slot_t slot, stinger_model_type_t *type)
{
    return stinger_model_check(device->file, size, type) == STINGER_MODEL_OK &&
           (slot == STINGER_SLOT_SINGLE || (slot == STINGER_SLOT_LR) == (*type == STINGER_MODEL_LR));
}

void stinger_load_stored(stinger_device_t *device)
{
    bool has_new = false;
    size_t i;
    for (i = 3U; i-- > 0U;) {           /* the single file comes last */
        stinger_model_type_t type;
        size_t size = stinger_recall(device, stinger_all_slots[i]);
        if (size > 0U && !(has_new && stinger_all_slots[i] == STINGER_SLOT_SINGLE)) {
            has_new = true;
            if (stinger_is_for_slot(device, size, stinger_all_slots[i], &type)) {
                stinger_model_type_t serving = device->inference.serving;
                stinger_inference_use(&device->inference, device->file, type);
                device->inference.serving = stinger_all_slots[i] == STINGER_SLOT_SINGLE ? type : serving;
            }
        }
    }
}
