enum FastRPCLibraryPlaceholder {}
