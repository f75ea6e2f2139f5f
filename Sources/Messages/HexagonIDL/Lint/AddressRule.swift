/// Addresses sent as numbers: the DSP does not see the host's memory at the host's addresses.
enum AddressRule: LintRule {
    static let name = "address"
    static let summary = "pointers or handles travel as a sequence of 64-bit integers"

    private static let words: Set<String> = [
        "ptr", "ptrs", "pointer", "pointers", "address", "addresses", "addr", "addrs", "handles", "fds",
    ]

    static func check(_ unit: IDLUnit, report: (Diagnostic) -> Void) {
        for (method, parameter) in unit.parameters where parameter.direction != .rout {
            guard case .sequence(let element) = parameter.type.resolved, let scalar = element.scalar,
                scalar == .int64 || scalar == .uint64,
                let last = NameWords(parameter.name).words.last, words.contains(last)
            else { continue }
            report(
                warning(
                    parameter.location,
                    "'\(parameter.name)' of '\(method.name)' sends addresses or handles as numbers",
                    hint:
                        "an address of the host means nothing on the DSP: share the memory and send "
                        + "dmahandle, or descriptors and offsets"))
        }
    }
}
