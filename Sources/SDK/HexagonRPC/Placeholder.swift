enum HexagonRPCPlaceholder {}
