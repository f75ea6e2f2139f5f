import VirtualChannel

/// A process on the virtual DSP: what the firmware's process shell is on a real one.
package final class Shell: Sendable {
    private let channel: ChannelEndpoint

    /// A process that talks to the emulated kernel over `channel`.
    package init(_ channel: ChannelEndpoint) {
        self.channel = channel
    }
}
