enum UnitPlaceholder {}
