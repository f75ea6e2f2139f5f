enum HTPInterfacePlaceholder {}
