enum TokenizationPlaceholder {}
