// The qfloat variant's parts.
#ifndef HTP_FLOATS_QFLOAT_H
#define HTP_FLOATS_QFLOAT_H

#include "float_kernels.h"

// Hexagon code before v68 is without qfloat. On the host it is emulated, and in a test's code for v66, whose other
// instructions an emulator can execute.
#if !defined(__hexagon__) || defined(HTP_TEST_QFLOAT)
#define HTP_EMULATES_QFLOAT 1
#else
#define HTP_EMULATES_QFLOAT 0
#endif
#if HTP_EMULATES_QFLOAT || __HVX_ARCH__ >= 68
#define HTP_HAS_QFLOAT 1
#else
#define HTP_HAS_QFLOAT 0
#endif

void qfloat_encode(uint8_t *row, const float *x, uint32_t size, uint32_t type);
// `to` is aligned to 128 bytes; it is filled up with zeros to a multiple of 32 floats.
void qfloat_decode(float *to, const uint8_t *row, uint32_t size, uint32_t type);

void qfloat_attend(const attention_heads *a);
size_t qfloat_attention_bytes(const htp_attention_parameters *a);

#endif
