enum SimulatedLibraryPlaceholder {}
