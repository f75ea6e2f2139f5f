enum TinyPlaceholder {}
