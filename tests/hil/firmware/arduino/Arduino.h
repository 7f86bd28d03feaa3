// A thin stand-in for the Arduino API: the declarations that the example sketches use, so that they can be compiled.
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HIGH 1
#define LOW 0
#define OUTPUT 1
#define INPUT_PULLUP 2
#define LED_BUILTIN 25

unsigned long millis();
void delay(unsigned long ms);
void pinMode(int pin, int mode);
int digitalRead(int pin);
void digitalWrite(int pin, int value);

class SerialPort {
public:
    void begin(unsigned long baud);
    int available();
    int availableForWrite();
    int peek();
    int read();
    size_t write(const uint8_t *data, size_t size);
    size_t println(const char *text);
    explicit operator bool() const;
};

extern SerialPort Serial;

#endif
