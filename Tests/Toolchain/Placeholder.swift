enum ToolchainPlaceholder {}
