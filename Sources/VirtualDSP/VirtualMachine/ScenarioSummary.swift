import VirtualKernel

extension Scenario.Kind {
    /// What it is, in one line.
    package var summary: String {
        switch self {
        case .healthy: "Everything works."
        case .noNode: "The driver is not there: no node in /dev."
        case .noPermission: "The nodes are there, but may not be opened (EACCES)."
        case .dspOffline: "The remote processor is off line, so there is no node."
        case .noFreeSession: "All sessions of the DSP are taken (EBUSY)."
        case .plainNodeOnly: "Only the plain node is there, which refuses signed processes (ECONNREFUSED)."
        case .noDMAHeap: "There is no /dev/dma_heap/system."
        case .noShell: "No process shell is installed; the DSP creates no process (0x80000416)."
        case .shellMismatch: "The installed shell is of another build than the firmware (0x8000054f)."
        case .skelNotFound: "The DSP does not find any skel (0x80000406)."
        case .wrongSymbol: "The skel lacks the function that the URI names (0x80000442)."
        case .missingDependency: "The skel is found, a library that it needs is not (0x80000406)."
        case .oldCapabilityReply: "GET_DSP_INFO answers at offset 0, as before July 2024."
        case .unsignedSupportReadsZero: "UNSIGNED_PD_SUPPORT reads 0, although unsigned processes work."
        case .processDeath: "The process on the DSP dies at its n-th method call."
        case .subsystemRestart: "The DSP restarts at the n-th method call (EPIPE); nodes vanish for a while."
        case .outOfMemory: "The DSP has no memory left for mappings and heaps (0x80000402)."
        case .queueHang: "Message queues can be made, but the DSP never reads them."
        case .hungCall: "The n-th method call of a process never returns."
        case .slowDSP: "Every method call takes n milliseconds longer."
        case .malformedReverseCalls: "The DSP's calls to the host are malformed."
        }
    }

    /// Whether it takes a number.
    package var takesNumber: Bool {
        switch self {
        case .processDeath, .subsystemRestart, .hungCall, .slowDSP: true
        default: false
        }
    }
}
