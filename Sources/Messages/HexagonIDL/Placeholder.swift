enum HexagonIDLPlaceholder {}
