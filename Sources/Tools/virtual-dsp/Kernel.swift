import Glibc
import SharedMemory
import VirtualChannel
import VirtualKernel
import VirtualMachine

extension VirtualKernel: EmulatedKernel {}

/// Starts processes on the DSP: this program again, as `protection-domain`.
struct ShellLauncher: ProcessLauncher {
    func launch() throws(SystemError) -> ChannelEndpoint {
        let (ours, theirs) = try ChannelEndpoint.pair()
        let process = try Child.start(
            "/proc/self/exe", ["protection-domain", "\(theirs.descriptor)"], passing: [theirs.descriptor])
        Child.reap(process)
        return ours
    }
}
