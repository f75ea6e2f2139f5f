import VirtualChannel

/// How a process of the virtual DSP misbehaves; the names are those of the emulated kernel's scenarios.
/// Those that are the kernel's alone are healthy here.
enum Behaviour: Hashable, Sendable {
    case healthy
    case skelNotFound
    case wrongSymbol
    case missingDependency
    /// At which user method call, counted from 1.
    case processDeath(call: Int64)
    case outOfMemory
    case queueHang
    /// At which user method call, counted from 1.
    case hungCall(call: Int64)
    case slowDSP(milliseconds: Int64)
    case malformedReverseCalls

    init(_ process: ProcessDescription) {
        let number = process.parameter
        self =
            switch process.scenario {
            case "skel-not-found": .skelNotFound
            case "wrong-symbol": .wrongSymbol
            case "missing-dependency": .missingDependency
            case "process-death": .processDeath(call: max(1, number))
            case "out-of-memory": .outOfMemory
            case "queue-hang": .queueHang
            case "hung-call": .hungCall(call: max(1, number))
            case "slow-dsp": .slowDSP(milliseconds: number > 0 ? min(number, 600_000) : 200)
            case "malformed-reverse-calls": .malformedReverseCalls
            default: .healthy
            }
    }
}
