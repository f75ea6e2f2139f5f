import Glibc
import SharedMemory
import VirtualChannel
import VirtualKernel
import VirtualMachine

extension VirtualKernel: EmulatedKernel {}

/// Starts processes on the DSP: this program again, as `protection-domain`.
struct ShellLauncher: ProcessLauncher {
    /// Whether their programs are Hexagon code.
    var runsHexagon: Bool

    func launch() throws(SystemError) -> ChannelEndpoint {
        let (ours, theirs) = try ChannelEndpoint.pair()
        let process = try Child.start(
            "/proc/self/exe",
            ["protection-domain", "\(theirs.descriptor)"] + (runsHexagon ? ["--hexagon"] : []),
            passing: [theirs.descriptor])
        Child.reap(process)
        return ours
    }
}
