// The one float step of a product: its integer sums become floats.
#ifndef HTP_FLOAT_STEP_H
#define HTP_FLOAT_STEP_H

#include "hvx.h"

// sums · 2^(row exponents + exponent) as floats, rounded to the nearest of 24 bits and, between two, away from zero:
// the vectors of older processors have no floats, so they are put together from integers. Results below the least normal
// float are zero, results above the greatest infinite. The row exponents are the host's and may be any number; `exponent` is
// within ±2^20. The sum −2^31, which the products do not reach, counts as zero.
static inline __attribute__((always_inline)) HVX_Vector float_results(
    HVX_Vector sums, HVX_Vector row_exponents, int32_t exponent) {
    const HVX_Vector zero = Q6_V_vzero();
    const HVX_Vector magnitude = Q6_Vw_vabs_Vw(sums);
    // Bit 30 becomes the highest, bit 23 after rounding: it carries into the exponent, which is one less for it.
    const HVX_Vector distance = Q6_Vw_vnormamt_Vw(magnitude);
    HVX_Vector fraction = Q6_Vw_vadd_VwVw(Q6_Vw_vasl_VwVw(magnitude, distance), Q6_V_vsplat_R(64));
    fraction = Q6_Vuw_vlsr_VuwR(fraction, 7);
    const HVX_Vector of_bit_30 = Q6_Vw_vadd_VwVw_sat(row_exponents, Q6_V_vsplat_R(exponent + 127 + 30 - 1));
    const HVX_Vector biased = Q6_Vw_vsub_VwVw_sat(of_bit_30, distance);
    HVX_Vector bits = Q6_Vw_vadd_VwVw(fraction, Q6_Vw_vasl_VwR(biased, 23));
    bits = Q6_V_vmux_QVV(Q6_Q_vcmp_gt_VwVw(biased, Q6_V_vsplat_R(253)), Q6_V_vsplat_R(0x7f800000), bits);
    const HVX_VectorPred is_normal = Q6_Q_vcmp_gt_VwVw(biased, Q6_V_vsplat_R(-1));
    bits = Q6_V_vmux_QVV(Q6_Q_vcmp_gtand_QVwVw(is_normal, magnitude, zero), bits, zero);
    return Q6_V_vor_VV(bits, Q6_V_vand_VV(sums, Q6_V_vsplat_R((int32_t)0x80000000)));
}

#endif
