/* What is where in the 256 kB of flash. hil/qemu/image.py reads these lines, so each is one #define of one number. */
#ifndef LAYOUT_H
#define LAYOUT_H

/* Settings: threshold of the wheels (f32), whether the recording repeats (u32), sizes of two model files (u32 each, 0
 * for none), and the files: LR, then MLP behind the 244 bytes of an LR file. */
#define SETTINGS 0x0000E000
#define SETTINGS_HEAD 16
#define SETTINGS_BYTES 0x00005000

/* The recording: number of samples (u32), and their 17-byte records. */
#define RECORDING 0x00013000
#define RECORDING_BYTES 0x00024000

/* Uploaded models: in each slot the size (u32) and the file. Erased flash is no file. */
#define STORED_LR 0x00037000
#define STORED_MLP 0x00037400
#define STORED_SINGLE 0x0003B800
#define STORED_HEAD 4

#endif
