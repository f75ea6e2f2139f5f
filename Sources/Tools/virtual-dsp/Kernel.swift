import Glibc
import SharedMemory
import VirtualChannel
import VirtualKernel
import VirtualMachine

extension VirtualKernel: EmulatedKernel {}

/// Starts processes on the DSP: this program again, as `protection-domain`.
struct ShellLauncher: ProcessLauncher {
    /// How the DSP's programs run; the process reads it in `VIRTUAL_DSP_KIND`.
    let dsp: Run.DSPKind

    func launch() throws(SystemError) -> ChannelEndpoint {
        let (ours, theirs) = try ChannelEndpoint.pair()
        let process = try Child.start(
            "/proc/self/exe", ["protection-domain", "\(theirs.descriptor)"], passing: [theirs.descriptor],
            environment: ["VIRTUAL_DSP_KIND": dsp.rawValue])
        Child.reap(process)
        return ours
    }
}
