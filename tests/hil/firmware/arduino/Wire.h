#ifndef WIRE_H
#define WIRE_H

#include "Arduino.h"

class TwoWire {
public:
    void begin();
    void setClock(uint32_t hz);
    void beginTransmission(uint8_t address);
    uint8_t endTransmission(bool stop = true);
    uint8_t requestFrom(uint8_t address, uint8_t size);
    size_t write(uint8_t byte);
    int read();
};

extern TwoWire Wire;

#endif
