enum GGUFPlaceholder {}
