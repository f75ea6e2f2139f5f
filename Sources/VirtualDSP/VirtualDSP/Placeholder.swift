enum VirtualDSPPlaceholder {}
