import SharedMemory
import Synchronization
import VirtualChannel
import VirtualKernel
import VirtualMachine

/// The kernel behind `virtual-dsp run`.
extension Run {
    func makeKernel(_ scenario: Scenario) throws -> any EmulatedKernel {
        EmptyKernel()
    }
}

/// A machine without a DSP, until the driver is there.
private final class EmptyKernel: EmulatedKernel {
    let tree = VirtualTree()
    let nodes: [any VirtualNode] = []
    let registry = FileRegistry()
    func onTreeChange(_ body: @escaping @Sendable (VirtualTree) -> Void) {}
    func select(_ scenario: Scenario) {}
}
