import SharedMemory
import VirtualChannel

/// Starts processes on the virtual DSP.
package protocol ProcessLauncher: Sendable {
    /// Starts one that waits for its ``ChannelMessage/create(call:_:)``. Returns the kernel's end of its channel.
    func launch() throws(SystemError) -> ChannelEndpoint
}
