enum QuantizationPlaceholder {}
