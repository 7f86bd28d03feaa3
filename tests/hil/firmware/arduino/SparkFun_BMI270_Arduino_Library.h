#ifndef SPARKFUN_BMI270_H
#define SPARKFUN_BMI270_H

#include "Arduino.h"

#define BMI2_OK 0
#define BMI2_I2C_PRIM_ADDR 0x68

struct BMI270_SensorData {
    float accelX, accelY, accelZ;
    float gyroX, gyroY, gyroZ;
};

class BMI270 {
public:
    BMI270_SensorData data;
    int8_t beginI2C(uint8_t address = BMI2_I2C_PRIM_ADDR);
    int8_t getSensorData();
};

#endif
