enum HTPDevicePlaceholder {}
