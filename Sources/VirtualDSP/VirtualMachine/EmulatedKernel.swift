import VirtualKernel

/// What a machine shows to the programs in it.
package protocol EmulatedKernel: Sendable {
    /// What is in the file system now.
    var tree: VirtualTree { get }
    /// Every node that may ever be in the tree.
    var nodes: [any VirtualNode] { get }
    /// What stands behind descriptors.
    var registry: FileRegistry { get }
    /// Asks to be told of a new tree, on any thread, before whoever caused the change goes on.
    func onTreeChange(_ body: @escaping @Sendable (VirtualTree) -> Void)
    /// Behaves as a scenario says from now on.
    func select(_ scenario: Scenario)
}
