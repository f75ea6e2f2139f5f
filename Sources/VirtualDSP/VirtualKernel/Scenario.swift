/// A way in which the virtual DSP or its kernel misbehaves, or behaves as old ones do.
package struct Scenario: Hashable, Sendable {
    /// Which one.
    package var kind: Kind
    /// A number for those that take one: the call at which a process dies, milliseconds.
    package var parameter: Int64?

    package init(_ kind: Kind, parameter: Int64? = nil) {
        self.kind = kind
        self.parameter = parameter
    }

    /// Reads `name` or `name=number`.
    package init?(_ text: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let kind = Kind(rawValue: String(parts[0])) else { return nil }
        self.init(kind)
        guard parts.count == 2 else { return }
        guard let number = Int64(parts[1]), number >= 0 else { return nil }
        parameter = number
    }

    package enum Kind: String, CaseIterable, Sendable {
        /// Everything works.
        case healthy
        /// The driver is not there: no node at all.
        case noNode = "no-node"
        /// The nodes may not be opened: `EACCES`.
        case noPermission = "no-permission"
        /// The remote processor is off line, so that there is no node.
        case dspOffline = "dsp-offline"
        /// All sessions are taken: opening gives `EBUSY`.
        case noFreeSession = "no-free-session"
        /// Only the plain node may be opened, which refuses signed processes: `ECONNREFUSED`.
        case plainNodeOnly = "plain-node-only"
        /// No `/dev/dma_heap/system`.
        case noDMAHeap = "no-dma-heap"
        /// No process shell is installed; the DSP refuses to create a process: `0x80000416`.
        case noShell = "no-shell"
        /// The installed shell is of another build than the firmware: `0x8000054f`.
        case shellMismatch = "shell-mismatch"
        /// The DSP does not find any skel: `0x80000406`.
        case skelNotFound = "skel-not-found"
        /// The skel lacks the function that the URI names: `0x80000442`.
        case wrongSymbol = "wrong-symbol"
        /// The skel is there, a library that it needs is not: `0x80000406` after the file was read.
        case missingDependency = "missing-dependency"
        /// `GET_DSP_INFO` answers at offset 0, as before July 2024.
        case oldCapabilityReply = "old-capability-reply"
        /// `UNSIGNED_PD_SUPPORT` reads 0 although unsigned processes work.
        case unsignedSupportReadsZero = "unsigned-support-reads-zero"
        /// The process on the DSP dies at its n-th method call.
        case processDeath = "process-death"
        /// The whole DSP restarts at the n-th method call: `EPIPE`, nodes vanish for a while.
        case subsystemRestart = "subsystem-restart"
        /// Mapping and heap growth run out of memory: `0x80000402`.
        case outOfMemory = "out-of-memory"
        /// Message queues can be made, but the DSP never looks at them.
        case queueHang = "queue-hang"
        /// The n-th method call of a process never returns.
        case hungCall = "hung-call"
        /// Every method call takes n milliseconds longer.
        case slowDSP = "slow-dsp"
        /// The DSP's calls to the host are malformed.
        case malformedReverseCalls = "malformed-reverse-calls"
    }
}
